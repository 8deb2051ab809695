from dataclasses import replace

from otagate.core.cloud import LABEL_ONCE, Binding, Colour
from otagate.core.one_off import Mode, migrate_name, migrate_stage
from otagate.core.places import Place
from otagate.core.platform import Migrate
from tests.core.platforms import WEB, build, platform

PLACE = Place("p", Binding.PRODUCTION, Colour.GREEN)
STEP = Migrate(("web-migrate", "all"), ("owner",), 20.0)


def test_the_program_is_the_builds_own_with_the_secrets_of_the_step_alone() -> None:
    known = replace(platform(), services={"web": replace(WEB, migrate=STEP, user="65534:65534", cap_drop=("ALL",))})
    stage = migrate_stage(known, Mode.APPLY, PLACE, {"web": build()}, lambda name: name.encode(), ["web"])
    (program,) = stage.containers
    assert (stage.once, stage.deadline) == (True, 20.0)
    assert program.name == migrate_name(PLACE, "web") == "p-green-web-migrate"
    assert (program.image, program.entrypoint, program.command) == (build().digest, ("web-migrate",), ("all",))
    assert {file.path: file.content for file in program.files if file.secret} == {"/run/secrets/owner": b"owner"}
    assert program.environment["OTAGATE_MIGRATE"] == "apply"
    assert program.environment["STORE_HOST"] == "store"
    assert (program.user, program.cap_drop, program.restart) == ("65534:65534", ("ALL",), "no")
    assert program.labels[LABEL_ONCE] == "apply"


def test_only_the_services_that_are_asked_for_run() -> None:
    known = replace(platform(), services={"web": replace(WEB, migrate=STEP)})
    assert migrate_stage(known, Mode.LOOK, PLACE, {"web": build()}, str.encode, []).containers == ()
