-- A real workspace: what it takes to connect one in the shadow, to read it back, to see that it is healthy.
-- Runs as the owner. {app} and {cell} are the names of the application's role and of the role that crosses workspaces.

-- Which teams Steelyard assigns for (0: conversations without a team; NULL: all, those to come too). For all others it
-- decides in the shadow: it compares and writes nothing. While it is paused it writes nothing at all.
ALTER TABLE workspace
    ADD COLUMN routed bigint[],
    ADD COLUMN paused boolean NOT NULL DEFAULT false,
    ADD COLUMN paused_at timestamptz;        -- since when it is; NULL while it is not

-- client_secret and access_token are sealed from here on, under the web's key and the worker's: see store/keys.py.
ALTER TABLE connection
    ADD COLUMN connected_at timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN refused_at timestamptz,       -- since when the token is refused; NULL while it is not
    ADD COLUMN rate_low_at timestamptz;      -- when a window of Intercom's rate limit was last nearly used up

-- How Intercom itself assigns in the team: round_robin, load_balanced, or empty where it does not say.
ALTER TABLE team_name ADD COLUMN distribution text NOT NULL DEFAULT '';

-- A decision in the shadow is not delivered. Its outcome is `shadow`, then `compared`: `instead` is who was given the
-- conversation, with their load and exclusions and the winner's load at that moment, without this conversation.
ALTER TABLE decision
    ADD COLUMN instead bigint,
    ADD COLUMN instead_load integer,
    ADD COLUMN instead_exclusions integer,
    ADD COLUMN winner_load_then integer;
CREATE INDEX decision_compared ON decision (workspace, settled_at) WHERE outcome = 'compared';
CREATE INDEX decision_age ON decision (workspace, at);

-- Payloads that could not be handled: outcome `aside`, until they are tried again.
CREATE INDEX inbox_aside ON inbox (workspace, seq) WHERE outcome = 'aside';
ALTER TABLE inbox ADD COLUMN tried_at timestamptz;  -- when it was last taken up again; NULL: it never was
CREATE INDEX inbox_tried ON inbox (workspace, tried_at) WHERE tried_at IS NOT NULL;

-- Each reading of what is open in Intercom, and the drift it found and healed.
CREATE TABLE reading (
    workspace  text NOT NULL,
    reading    bigint GENERATED ALWAYS AS IDENTITY,
    asked      text NOT NULL,               -- start, schedule, asked
    started_at timestamptz NOT NULL,
    ended_at   timestamptz,                 -- NULL: it is running, or it was cut off
    deep       boolean NOT NULL,            -- whether what changed since the last deep one was read with its parts
    listed     integer NOT NULL DEFAULT 0,  -- conversations that are open in Intercom
    drift      integer NOT NULL DEFAULT 0,  -- those of them that were not known so
    kinds      jsonb NOT NULL DEFAULT '{}', -- how many of each kind of difference
    PRIMARY KEY (workspace, reading)
);
CREATE INDEX reading_age ON reading (started_at);

-- What was wrong, from when until when. Told when it begins and when it ends.
CREATE TABLE alarm (
    workspace text NOT NULL,
    alarm     bigint GENERATED ALWAYS AS IDENTITY,
    kind      text NOT NULL,
    since     timestamptz NOT NULL,
    seen_at   timestamptz NOT NULL,         -- when it last held
    ended_at  timestamptz,                  -- NULL: it holds, or has not been gone for long enough
    figures   jsonb NOT NULL,               -- numbers only
    PRIMARY KEY (workspace, alarm)
);
CREATE UNIQUE INDEX alarm_open ON alarm (workspace, kind) WHERE ended_at IS NULL;
CREATE INDEX alarm_age ON alarm (since);

DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['reading', 'alarm'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY own_workspace ON %I TO {app} USING (workspace = current_setting(''steelyard.workspace'', true))', name);
        EXECUTE format('CREATE POLICY across ON %I TO {cell} USING (true)', name);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO {app}', name);
        EXECUTE format('GRANT SELECT, DELETE ON %I TO {cell}', name);
    END LOOP;
END $$;

-- Whether a workspace was heard from within some hours is a question for one place of an index, also where the others of
-- the cell are never silent.
DROP INDEX inbox_age;
CREATE INDEX inbox_age ON inbox (workspace, received_at);

CREATE OR REPLACE FUNCTION expire_inbox(before timestamptz, most integer) RETURNS integer
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH gone AS (
        DELETE FROM inbox WHERE (workspace, notification) IN (
            SELECT old.workspace, old.notification FROM workspace
            CROSS JOIN LATERAL (
                SELECT each.workspace, each.notification FROM inbox AS each
                WHERE each.workspace = workspace.workspace AND each.handled_at IS NOT NULL
                      AND each.received_at < least(before, now() - interval '30 days')
                ORDER BY each.received_at LIMIT most
            ) AS old
            LIMIT most)
        RETURNING 1
    )
    SELECT count(*)::integer FROM gone
$$;

CREATE FUNCTION expire_reading(before timestamptz, most integer) RETURNS integer
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH gone AS (
        DELETE FROM reading WHERE (workspace, reading) IN (
            SELECT each.workspace, each.reading FROM reading AS each
            WHERE each.started_at < least(before, now() - interval '90 days')
            ORDER BY each.started_at LIMIT most)
        RETURNING 1
    )
    SELECT count(*)::integer FROM gone
$$;

CREATE FUNCTION expire_alarm(before timestamptz, most integer) RETURNS integer
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH gone AS (
        DELETE FROM alarm WHERE (workspace, alarm) IN (
            SELECT each.workspace, each.alarm FROM alarm AS each
            WHERE each.since < least(before, now() - interval '365 days') AND each.ended_at IS NOT NULL
            ORDER BY each.since LIMIT most)
        RETURNING 1
    )
    SELECT count(*)::integer FROM gone
$$;

DO $$
DECLARE crossing regprocedure;
BEGIN
    FOREACH crossing IN ARRAY ARRAY[
        'expire_reading(timestamptz, integer)', 'expire_alarm(timestamptz, integer)']::regprocedure[] LOOP
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', crossing);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO {app}', crossing);
        EXECUTE format('ALTER FUNCTION %s OWNER TO {cell}', crossing);
    END LOOP;
END $$;
