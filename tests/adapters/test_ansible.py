"""The run of Ansible itself: what it may know, what it leaves, and that it ends when its time is up."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import ansible_runner
import pytest

import otagate
from otagate.adapters.ansible import provisioner as module
from otagate.adapters.ansible.provisioner import AnsibleProvisioner, find_playbooks
from otagate.adapters.ansible.sweep import MARK, sweep
from otagate.core.cloud import Cloud
from otagate.core.container import Container, File, Stage
from otagate.core.errors import ProvisionFault
from otagate.ports import Progress

SECRET = b"hunter2-hunter2"
NOBODY = 2**22 + 1  # beyond the greatest process id
DEADLINE = 8.0  # long enough to begin on a busy machine

# A stage whose task does something when it is let go, in a process of its own session, as real modules do.
PLAYBOOK = """
- hosts: "{{{{ otagate_cloud }}}}"
  gather_facts: false
  tasks:
    - name: Come late
      ansible.builtin.shell: >-
        touch {folder}/began;
        for n in $(seq 600); do [ -e {folder}/go ] && touch {folder}/effect && break; sleep 0.1; done
"""


def stage(*, deadline: float = DEADLINE, name: str = "trial", containers: tuple[Container, ...] = ()) -> Stage:
    return Stage(name, Cloud.BLUE, "a test", (), (), containers, replace=True, deadline=deadline)


def with_secret() -> Container:
    return Container("t-x", "sha256:0", (), {}, files=(File("/run/secrets/pw", SECRET, 0o444, secret=True),))


def silent(_: Progress) -> None:
    return None


@pytest.fixture
def private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary folders are made during a test."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


def playbooks(folder: Path, text: str) -> Path:
    made = folder / "playbooks"
    made.mkdir()
    (made / "stage.yml").write_text(textwrap.dedent(text))
    (made / "ansible.cfg").write_text("[defaults]\nlocalhost_warning = False\n")
    return made


def apply(folder: Path, text: str, *stages: Stage, grace: float = 0.5) -> None:
    made = AnsibleProvisioner({}, playbooks=playbooks(folder, text), grace=grace)
    made.apply("t-x", stages or (stage(),), str(folder / "run"), silent)


def late_playbook(folder: Path) -> str:
    return PLAYBOOK.format(folder=folder)


def comes_late(folder: Path, seconds: float) -> bool:
    """Whether the effect comes once the task is let go."""
    (folder / "go").touch()
    return wait_for((folder / "effect").exists, seconds)


def running(folder: Path) -> list[str]:
    """Command lines of processes that name the folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(folder) in line:
            found.append(line)
    return found


def test_nothing_goes_on_after_the_deadline(tmp_path: Path, private: Path) -> None:
    with pytest.raises(ProvisionFault, match="trial was not up at its deadline"):
        apply(tmp_path, late_playbook(tmp_path))
    assert (tmp_path / "began").exists(), "the task must have been under way"
    assert running(tmp_path) == []
    assert list(private.iterdir()) == []
    assert not comes_late(tmp_path, 1.0)


def test_without_the_sweep_the_late_effect_comes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: what the test above looks for does happen when only the run's root is killed."""

    def root_alone(root: int, mark: str) -> tuple[int, ...]:
        os.kill(root, signal.SIGKILL)
        marks.append(mark)
        return ()

    marks: list[str] = []
    monkeypatch.setattr(module, "sweep", root_alone)
    try:
        with pytest.raises(ProvisionFault, match="deadline"):
            apply(tmp_path, late_playbook(tmp_path))
        assert running(tmp_path)
        assert comes_late(tmp_path, 30)
    finally:
        sweep(NOBODY, marks[0])


def test_ansible_runner_alone_does_not_end_the_task(tmp_path: Path) -> None:
    """Why there is a sweep at all: the library's own way to end a run leaves the task running."""
    made = playbooks(tmp_path, late_playbook(tmp_path))
    (tmp_path / "private").mkdir()
    run = ansible_runner.run(
        private_data_dir=str(tmp_path / "private"),
        playbook=str(made / "stage.yml"),
        inventory="localhost,",
        extravars={"otagate_cloud": "localhost", "ansible_connection": "local"},
        cancel_callback=(tmp_path / "began").exists,  # ends the run as a time-out does
        settings={"pexpect_timeout": 0.2},
        envvars={"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        quiet=True,
    )
    assert run.status == "canceled"
    assert not (tmp_path / "effect").exists()
    assert comes_late(tmp_path, 30)


def wait_for(holds: Callable[[], bool], seconds: float) -> bool:
    until = time.monotonic() + seconds
    while not holds() and time.monotonic() < until:
        time.sleep(0.05)
    return holds()


SCRIPT = """
import sys
from pathlib import Path
from otagate.adapters.ansible.provisioner import AnsibleProvisioner
from otagate.core.cloud import Cloud
from otagate.core.container import Stage
stage = Stage("trial", Cloud.BLUE, "a test", (), (), (), replace=True, deadline=60.0)
AnsibleProvisioner({{}}, playbooks=Path({playbooks!r})).apply("t-x", [stage], {folder!r}, lambda progress: None)
"""


@pytest.fixture
def begun(tmp_path: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A program in the middle of a stage."""
    made = playbooks(tmp_path, late_playbook(tmp_path))
    script = SCRIPT.format(playbooks=str(made), folder=str(tmp_path / "run"))
    (tmp_path / "temporary").mkdir()
    program = subprocess.Popen(
        [sys.executable, "-c", script],
        env={**os.environ, "TMPDIR": str(tmp_path / "temporary")},
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    assert wait_for((tmp_path / "began").exists, 60)
    yield program
    program.kill()
    program.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_program_that_is_stopped_leaves_nothing_running(
    number: signal.Signals, begun: "subprocess.Popen[bytes]", tmp_path: Path
) -> None:
    begun.send_signal(number)
    begun.wait(timeout=60)
    assert wait_for(lambda: not running(tmp_path), 30), running(tmp_path)  # of one that was killed its guard sees to it
    assert wait_for(lambda: list((tmp_path / "temporary").iterdir()) == [], 30)
    assert not comes_late(tmp_path, 1.0)


def test_a_sweep_reaches_what_has_lost_its_parent(tmp_path: Path) -> None:
    mark = "t-sweep-orphan"
    orphan = f"(setsid sh -c 'sleep 2; touch {tmp_path / 'effect'}' &) ; sleep 0.2"
    parent = subprocess.Popen(["sh", "-c", orphan], env={**os.environ, MARK: mark})
    parent.wait()
    assert sweep(parent.pid, mark) == ()
    time.sleep(2.5)
    assert not (tmp_path / "effect").exists()


def test_a_sweep_leaves_others_alone() -> None:
    other = subprocess.Popen(["sleep", "30"], env={**os.environ, MARK: "t-sweep-other"})
    try:
        assert sweep(NOBODY, "t-sweep-mine") == ()
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


ENVIRONMENT = """
- hosts: "{{ otagate_cloud }}"
  gather_facts: false
  tasks:
    - name: Tell
      ansible.builtin.command: cat /proc/self/environ {{ otagate_specification }}
    - name: Break
      ansible.builtin.fail:
        msg: "the password was hunter2-hunter2"
"""


def test_no_secret_reaches_environment_output_or_message(
    tmp_path: Path, private: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STORE_PASSWORD", "from-the-environment")
    monkeypatch.setenv("ANSIBLE_STDOUT_CALLBACK", "minimal")
    text = ENVIRONMENT.replace("Tell\n", "Tell\n      register: told\n").replace(
        "hunter2-hunter2", "hunter2-hunter2 {{ told.stdout }}"
    )
    with pytest.raises(ProvisionFault) as caught:
        apply(tmp_path, text, stage(deadline=30, containers=(with_secret(),)))
    log = tmp_path / "run" / "ansible-trial.log"
    for told in (log.read_text(), caught.value.message):
        assert "hunter2" not in told
        assert "aHVudGVy" not in told
        assert "from-the-environment" not in told
    assert "***" in caught.value.message
    assert caught.value.message.startswith("Break:")
    assert log.stat().st_mode & 0o777 == 0o600
    assert list(private.iterdir()) == []


MODES = """
- hosts: "{{ otagate_cloud }}"
  gather_facts: false
  tasks:
    - ansible.builtin.command: stat -c %a {{ otagate_specification }} {{ otagate_specification | dirname }}
      register: modes
    - ansible.builtin.fail:
        msg: "modes {{ modes.stdout_lines }}"
"""


def test_what_holds_secrets_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    with pytest.raises(ProvisionFault, match=r"modes \['600', '700'\]"):
        apply(tmp_path, MODES, stage(deadline=30))


def test_a_playbook_that_reports_no_stage_is_a_fault(tmp_path: Path) -> None:
    nothing = '- hosts: "{{ otagate_cloud }}"\n  gather_facts: false\n  tasks: []\n'
    with pytest.raises(ProvisionFault, match="0 of 1 stages up"):
        apply(tmp_path, nothing, stage(deadline=30))


def test_an_inventory_without_the_cloud_is_a_fault(tmp_path: Path) -> None:
    inventory = tmp_path / "inventory.yaml"
    inventory.write_text("all: {hosts: {elsewhere: {ansible_connection: local}}}\n")
    with pytest.raises(ProvisionFault, match="0 of 1 stages up") as caught:
        AnsibleProvisioner({}, inventory=str(inventory)).apply("t-x", [stage()], str(tmp_path / "run"), silent)
    assert "inventory" in caught.value.hint


def test_a_broken_playbook_shows_what_ansible_said(tmp_path: Path) -> None:
    with pytest.raises(ProvisionFault, match="no_such_keyword"):
        apply(tmp_path, "- hosts: all\n  no_such_keyword: true\n", stage(deadline=30))
    assert "no_such_keyword" in (tmp_path / "run" / "ansible-trial.log").read_text()


def test_a_missing_program_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    with pytest.raises(ProvisionFault, match="ansible-playbook is missing") as caught:
        AnsibleProvisioner({}).apply("t-x", [stage()], str(tmp_path), silent)
    assert caught.value.code == "no-ansible"
    assert "make setup" in caught.value.hint


def test_a_program_that_cannot_be_run_is_not_taken_for_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda *_, **__: "/somewhere")
    monkeypatch.setattr(module, "_search_path", lambda: "/nowhere")
    with pytest.raises(ProvisionFault) as caught:
        AnsibleProvisioner({}).apply("t-x", [stage(deadline=20)], str(tmp_path), silent)
    assert caught.value.code == "no-ansible"


def test_a_full_disk_is_a_fault_and_no_bug(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(module, "_write_private", full)
    with pytest.raises(ProvisionFault, match="No space left on device") as caught:
        AnsibleProvisioner({}).apply("t-x", [stage()], str(tmp_path / "run"), silent)
    assert caught.value.code == "disk"


def test_an_output_that_cannot_be_kept_hides_no_fault(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("a file where the folder should be")
    with pytest.raises(ProvisionFault, match="File exists"):
        apply(tmp_path, "- hosts: all\n  gather_facts: false\n  tasks: []\n", stage(deadline=30))


def test_no_stage_needs_no_run(tmp_path: Path) -> None:
    assert AnsibleProvisioner({}).apply("t-x", [], str(tmp_path / "run"), silent) == ()
    assert not (tmp_path / "run").exists()


def test_an_engine_that_does_not_answer_is_named_with_the_next_command(tmp_path: Path) -> None:
    nowhere = {"blue": f"unix://{tmp_path}/no.sock"}
    with pytest.raises(ProvisionFault, match="engine does not answer") as caught:
        AnsibleProvisioner(nowhere).apply("t-x", [stage(deadline=20)], str(tmp_path / "run"), silent)
    assert caught.value.code == "engine"
    assert caught.value.hint == "otagate doctor"


def test_the_playbooks_are_found_in_a_wheel_and_in_a_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (find_playbooks() / "stage.yml").is_file()
    package = tmp_path / "otagate"
    (package / "playbooks").mkdir(parents=True)
    monkeypatch.setattr(otagate, "__file__", str(package / "__init__.py"))
    with pytest.raises(ProvisionFault, match="playbooks are missing"):
        find_playbooks()
    (package / "playbooks" / "stage.yml").touch()
    assert find_playbooks() == package / "playbooks"


def test_it_works_outside_the_main_thread(tmp_path: Path) -> None:
    """Signals can only be caught in the main thread; the deadline holds in any."""
    caught: list[BaseException] = []

    def run() -> None:
        try:
            apply(tmp_path, late_playbook(tmp_path))
        except ProvisionFault as fault:
            caught.append(fault)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(30)
    assert len(caught) == 1
    assert running(tmp_path) == []


def test_the_specification_is_json_without_bytes() -> None:
    from otagate.adapters.ansible.specification import specification

    read = json.loads(specification("t-x", "unix:///x", stage(containers=(with_secret(),))))
    assert read["containers"][0]["labels"]["otagate.files"] == '{"/run/secrets/pw": "secret"}'
    assert SECRET.decode() not in json.dumps(read)
