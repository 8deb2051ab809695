CREATE ROLE web LOGIN;

CREATE TABLE objects (
    sop_instance_uid text PRIMARY KEY,
    sop_class_uid    text NOT NULL,
    modality         text NOT NULL,
    bytes            bigint NOT NULL,
    sha256           text NOT NULL,
    packing          text NOT NULL CHECK (packing IN ('plain', 'zlib')),
    content          bytea NOT NULL,
    summary          jsonb NOT NULL,
    kept_by          text NOT NULL,
    colour           text NOT NULL,
    came_by          text NOT NULL CHECK (came_by IN ('http', 'dicom')),
    kept_at          timestamptz NOT NULL DEFAULT clock_timestamp()
);

ALTER TABLE objects ALTER COLUMN content SET STORAGE EXTERNAL;

CREATE INDEX objects_kept_at ON objects (kept_at);

CREATE TABLE tallies (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    objects    bigint NOT NULL,
    build      text NOT NULL,
    colour     text NOT NULL,
    written_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE quarantine (
    sop_instance_uid text PRIMARY KEY REFERENCES objects,
    set_apart_at     timestamptz NOT NULL DEFAULT clock_timestamp()
);

REVOKE ALL ON SCHEMA public FROM PUBLIC;

GRANT USAGE ON SCHEMA public TO web;

GRANT SELECT, INSERT ON objects, tallies, quarantine TO web;
