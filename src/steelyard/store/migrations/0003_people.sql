-- People: who may open the console, as what in which workspace, and what they did. Settings that people change.
-- Runs as the owner. {app} and {cell} are the names of the application's role and of the role that crosses workspaces.

DROP TABLE desk_link, desk_session;

-- Who a fact is by, where a person did it in the console. Never a name.
ALTER TABLE ledger ADD COLUMN person bigint;
-- What the audit lists: few facts among many. Its query repeats this condition word for word.
CREATE INDEX ledger_audit ON ledger (workspace, position) WHERE person IS NOT NULL OR kind LIKE 'person.%'
    OR kind IN ('token.made', 'token.revoked', 'settings.changed', 'notification.changed', 'policy.adopted',
                'routing.switched', 'engineer.rotation_changed', 'engineer.away_asked', 'engineer.away_refused',
                'conversation.move_asked', 'conversation.moved', 'conversation.move_overtaken',
                'conversation.move_refused', 'aside.retried', 'conversation.read_asked', 'reading.asked');

-- What happened to an engineer, for their page.
CREATE INDEX ledger_engineer ON ledger (workspace, engineer, position) WHERE conversation IS NULL AND engineer IS NOT NULL;

-- For lists of conversations. What changes with every payload stands in no index, so that those updates stay in their page
-- (HOT): `since` never changes, `phase` only where `open` does too, and `rested_at` is empty while it is open.
ALTER TABLE conversation
    ADD COLUMN phase text GENERATED ALWAYS AS (CASE WHEN (value ->> 13)::boolean THEN 'deleted' ELSE value ->> 2 END) STORED,
    ADD COLUMN rested_at bigint GENERATED ALWAYS AS (CASE WHEN NOT open THEN (value #>> '{1,0}')::bigint END) STORED;
DROP INDEX conversation_open;
CREATE INDEX conversation_open ON conversation (workspace, since, conversation) WHERE open;
CREATE INDEX conversation_resting ON conversation (workspace, phase, rested_at) WHERE NOT open;
CREATE INDEX decision_winner ON decision (workspace, winner, decision);

-- What people choose for a workspace.
ALTER TABLE workspace
    ADD COLUMN zone text NOT NULL DEFAULT 'UTC',             -- in which times may be shown: a name of the tz database
    ADD COLUMN keep_messages integer NOT NULL DEFAULT 90,    -- days; of what customers wrote
    ADD COLUMN keep_webhooks integer NOT NULL DEFAULT 30,    -- days; of raw webhooks that are handled
    ADD COLUMN keep_chosen_at timestamptz NOT NULL DEFAULT '-infinity'; -- for an hour from then on nothing goes: it can be undone

-- How far a reading is, for who waits for it. By the database's clock, unlike its other times, which are Intercom's.
ALTER TABLE reading
    ADD COLUMN done integer NOT NULL DEFAULT 0,
    ADD COLUMN steps integer NOT NULL DEFAULT 0,
    ADD COLUMN moved_at timestamptz NOT NULL DEFAULT now();

CREATE TABLE person (
    person      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    address     text NOT NULL UNIQUE,             -- e-mail, in lower case: what they sign in with
    name        text NOT NULL,
    password    text,                             -- argon2id; NULL until they have chosen one
    enters      boolean NOT NULL GENERATED ALWAYS AS (password IS NOT NULL) STORED,
    language    text NOT NULL DEFAULT '',         -- empty: as the browser says
    theme       text NOT NULL DEFAULT 'system',
    zone        text NOT NULL DEFAULT 'browser',  -- browser, workspace or utc
    single_keys boolean NOT NULL DEFAULT true,
    created_at  timestamptz NOT NULL DEFAULT now(),
    seen_at     timestamptz                       -- when a session of theirs was last noted to be in use
);

-- What a person is in a workspace. One that ended stays for a while: its name stands beside what they did.
CREATE TABLE membership (
    workspace text NOT NULL,
    person    bigint NOT NULL REFERENCES person ON DELETE CASCADE,
    roles     text[] NOT NULL,
    engineer  bigint,                             -- the Intercom teammate they are
    since     timestamptz NOT NULL DEFAULT now(),
    ended_at  timestamptz,
    PRIMARY KEY (workspace, person)
);
CREATE UNIQUE INDEX membership_engineer ON membership (workspace, engineer) WHERE ended_at IS NULL;
CREATE INDEX membership_person ON membership (person);

-- A browser in which a person signed in. Only SHA-256 of the cookie is stored.
CREATE TABLE session (
    token_hash bytea PRIMARY KEY,
    session    bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    person     bigint NOT NULL REFERENCES person ON DELETE CASCADE,
    started_at timestamptz NOT NULL,
    seen_at    timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    agent      text NOT NULL                      -- the browser, in a few words
);
CREATE INDEX session_person ON session (person);

-- A link that works once: to become the administrator of a workspace, or to choose a password.
CREATE TABLE link (
    workspace  text NOT NULL,
    token_hash bytea NOT NULL,
    person     bigint REFERENCES person ON DELETE CASCADE, -- NULL: whoever opens it becomes an administrator
    made_by    bigint,                            -- NULL: the command line, or this machine where it is open to it
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (workspace, token_hash)
);

-- A key for programs, with part of what its owner may do. Only SHA-256 of it is stored.
CREATE TABLE api_token (
    workspace   text NOT NULL,
    token       bigint GENERATED ALWAYS AS IDENTITY,
    token_hash  bytea NOT NULL,
    person      bigint NOT NULL REFERENCES person ON DELETE CASCADE,
    name        text NOT NULL,
    permissions text[] NOT NULL,
    created_at  timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    used_at     timestamptz,
    revoked_at  timestamptz,
    PRIMARY KEY (workspace, token),
    UNIQUE (workspace, token_hash)
);

-- Failed sign-ins, by SHA-256 of the address tried and of the place it was tried from: nobody is named.
CREATE TABLE attempt (
    what     bytea PRIMARY KEY,
    failures integer NOT NULL,
    last_at  timestamptz NOT NULL
);

-- Where a workspace's alarms are told, which of them, and when not.
CREATE TABLE notification (
    workspace    text NOT NULL,
    notification bigint GENERATED ALWAYS AS IDENTITY,
    name         text NOT NULL,
    address      text NOT NULL,                   -- an Apprise address, sealed under the web's key
    kinds        text[],                          -- of alarms; NULL: all, those to come too
    language     text NOT NULL,
    quiet_from   time,                            -- in `zone`; NULL: at any time
    quiet_to     time,
    zone         text NOT NULL DEFAULT 'UTC',
    created_at   timestamptz NOT NULL,
    tested_at    timestamptz,                     -- since when a test message is on its way
    told_at      timestamptz,                     -- when something last went through
    failed_at    timestamptz,                     -- since when nothing does; NULL while it does
    failure      text NOT NULL DEFAULT '',        -- a code: why it does not
    removed_at   timestamptz,                     -- then it is told nothing, and can be put back for a while
    PRIMARY KEY (workspace, notification)
);

-- What was told where: nothing twice, and that an alarm is over only where it was told that it began.
CREATE TABLE telling (
    workspace    text NOT NULL,
    alarm        bigint NOT NULL,
    notification bigint NOT NULL,
    began_at     timestamptz,                     -- when it was told that it began
    ended_at     timestamptz,                     -- when it was told that it is over
    PRIMARY KEY (workspace, alarm, notification),
    FOREIGN KEY (workspace, alarm) REFERENCES alarm ON DELETE CASCADE,
    FOREIGN KEY (workspace, notification) REFERENCES notification ON DELETE CASCADE
);
CREATE INDEX telling_notification ON telling (workspace, notification);

-- A person sees themselves; a transaction that names a workspace sees its people. Only they change what is theirs.
DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['membership', 'link', 'api_token', 'notification', 'telling', 'person', 'session'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO {app}', name);
    END LOOP;
    FOREACH name IN ARRAY ARRAY['membership', 'link', 'api_token', 'notification', 'telling'] LOOP
        EXECUTE format('CREATE POLICY own_workspace ON %I TO {app} USING (workspace = current_setting(''steelyard.workspace'', true))', name);
    END LOOP;
    FOREACH name IN ARRAY ARRAY['person', 'session'] LOOP
        EXECUTE format('CREATE POLICY oneself ON %I TO {app} USING (person::text = current_setting(''steelyard.person'', true))', name);
    END LOOP;
END $$;
CREATE POLICY people_of_workspace ON person FOR SELECT TO {app}
    USING (EXISTS (SELECT FROM membership WHERE membership.person = person.person));
GRANT SELECT, INSERT, UPDATE, DELETE ON attempt TO {app};
-- What a password is compared with is told by `person_signing_in` alone: no list of people holds it by mistake.
REVOKE SELECT ON person FROM {app};
GRANT SELECT (person, address, name, enters, language, theme, zone, single_keys, created_at, seen_at) ON person TO {app};

GRANT SELECT, INSERT ON person TO {cell};
GRANT SELECT ON membership TO {cell};
GRANT SELECT, DELETE ON session, link, api_token, notification TO {cell};
CREATE POLICY across ON person TO {cell} USING (true) WITH CHECK (true);
CREATE POLICY across ON membership FOR SELECT TO {cell} USING (true);
CREATE POLICY across ON session TO {cell} USING (true);
CREATE POLICY across ON link TO {cell} USING (true);
CREATE POLICY across ON api_token TO {cell} USING (true);
CREATE POLICY across ON notification TO {cell} USING (true);

-- Every workspace with what the frame of its pages says: what it is called, in which region its data stays.
CREATE FUNCTION places_of_cell() RETURNS TABLE (workspace text, name text, region text, zone text, first boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT workspace.workspace, coalesce(connection.name, workspace.workspace), coalesce(connection.region, ''), workspace.zone,
           workspace.workspace = (SELECT min(each.workspace) FROM workspace AS each)
    FROM workspace LEFT JOIN connection USING (workspace) ORDER BY 1
$$;

-- Who signs in under an address, and what their password is compared with. No row where nobody does.
CREATE FUNCTION person_signing_in(wanted text) RETURNS TABLE (person bigint, password text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT person.person, person.password FROM person WHERE person.address = lower(wanted)
$$;

-- Whose session it is, and what they are in which workspaces.
CREATE FUNCTION person_of_session(wanted bytea, at timestamptz) RETURNS TABLE (
    session bigint, person bigint, name text, language text, theme text, zone text, single_keys boolean,
    expires_at timestamptz, seen_at timestamptz, memberships jsonb)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT session.session, person.person, person.name, person.language, person.theme, person.zone, person.single_keys,
           session.expires_at, session.seen_at,
           (SELECT coalesce(jsonb_agg(to_jsonb(place) || jsonb_build_object('roles', each.roles, 'engineer', each.engineer)
                                      ORDER BY each.workspace), '[]')
            FROM membership AS each JOIN places_of_cell() AS place USING (workspace)
            WHERE each.person = person.person AND each.ended_at IS NULL)
    FROM session JOIN person USING (person) WHERE session.token_hash = wanted AND session.expires_at > at
$$;

-- The person of an address, made where there is none. Their name is their own business once they are there.
CREATE FUNCTION person_of_address(wanted text, called text) RETURNS bigint
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    INSERT INTO person (address, name) VALUES (lower(wanted), called) ON CONFLICT (address) DO NOTHING;
    SELECT person FROM person WHERE address = lower(wanted)
$$;

-- In which workspaces somebody is, for the facts of what they did to their own account.
CREATE FUNCTION workspaces_of_person(wanted bigint) RETURNS SETOF text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT workspace FROM membership WHERE person = wanted AND ended_at IS NULL ORDER BY 1
$$;

-- In how many workspaces `wanted` is a member that `actor` does not administer: nobody may choose a password that opens
-- more than what is theirs to give.
CREATE FUNCTION workspaces_beyond(actor bigint, wanted bigint) RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT count(*) FROM membership AS theirs
    WHERE theirs.person = wanted AND theirs.ended_at IS NULL AND NOT EXISTS (
        SELECT FROM membership AS own WHERE own.person = actor AND own.workspace = theirs.workspace
                                            AND own.ended_at IS NULL AND 'administrator' = ANY (own.roles))
$$;

-- In how many browsers the members of the transaction's workspace are signed in.
CREATE FUNCTION sessions_of_members(at timestamptz) RETURNS TABLE (person bigint, sessions bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT session.person, count(*) FROM session JOIN membership USING (person)
    WHERE membership.workspace = current_setting('steelyard.workspace', true) AND membership.ended_at IS NULL
          AND session.expires_at > at
    GROUP BY session.person
$$;

CREATE FUNCTION expire_session(before timestamptz, most integer) RETURNS integer
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH gone AS (
        DELETE FROM session WHERE token_hash IN (
            SELECT token_hash FROM session WHERE expires_at <= least(before, now()) LIMIT most)
        RETURNING 1
    )
    SELECT count(*)::integer FROM gone
$$;

CREATE FUNCTION expire_link(before timestamptz, most integer) RETURNS integer
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH gone AS (
        DELETE FROM link WHERE (workspace, token_hash) IN (
            SELECT each.workspace, each.token_hash FROM link AS each WHERE each.expires_at <= least(before, now()) LIMIT most)
        RETURNING 1
    )
    SELECT count(*)::integer FROM gone
$$;

CREATE FUNCTION expire_api_token(before timestamptz, most integer) RETURNS integer
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH gone AS (
        DELETE FROM api_token WHERE (workspace, token) IN (
            SELECT each.workspace, each.token FROM api_token AS each
            WHERE least(each.expires_at, each.revoked_at) <= least(before, now() - interval '90 days') LIMIT most)
        RETURNING 1
    )
    SELECT count(*)::integer FROM gone
$$;

CREATE FUNCTION expire_notification(before timestamptz, most integer) RETURNS integer
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH gone AS (
        DELETE FROM notification WHERE (workspace, notification) IN (
            SELECT each.workspace, each.notification FROM notification AS each
            WHERE each.removed_at <= least(before, now() - interval '1 day') LIMIT most)
        RETURNING 1
    )
    SELECT count(*)::integer FROM gone
$$;

-- Messages and webhooks go when their own workspace says so. `before` only keeps more, for a clock that is behind.
CREATE OR REPLACE FUNCTION expire_inbox(before timestamptz, most integer) RETURNS integer
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH gone AS (
        DELETE FROM inbox WHERE (workspace, notification) IN (
            SELECT old.workspace, old.notification FROM workspace
            CROSS JOIN LATERAL (
                SELECT each.workspace, each.notification FROM inbox AS each
                WHERE each.workspace = workspace.workspace AND each.handled_at IS NOT NULL
                      AND each.received_at < least(before, now()) - make_interval(days => workspace.keep_webhooks)
                ORDER BY each.received_at LIMIT most
            ) AS old
            WHERE workspace.keep_chosen_at <= now() - interval '1 hour'
            LIMIT most)
        RETURNING 1
    )
    SELECT count(*)::integer FROM gone
$$;

CREATE OR REPLACE FUNCTION expire_conversation_text(before timestamptz, most integer) RETURNS integer
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH gone AS (
        DELETE FROM conversation_text WHERE (workspace, conversation) IN (
            SELECT old.workspace, old.conversation FROM workspace
            CROSS JOIN LATERAL (
                SELECT each.workspace, each.conversation FROM conversation_text AS each
                WHERE each.workspace = workspace.workspace
                      AND each.stored_at < least(before, now()) - make_interval(days => workspace.keep_messages)
                ORDER BY each.stored_at LIMIT most
            ) AS old
            WHERE workspace.keep_chosen_at <= now() - interval '1 hour'
            LIMIT most)
        RETURNING 1
    )
    SELECT count(*)::integer FROM gone
$$;
DROP INDEX conversation_text_age;
CREATE INDEX conversation_text_age ON conversation_text (workspace, stored_at);

DO $$
DECLARE crossing regprocedure;
BEGIN
    FOREACH crossing IN ARRAY ARRAY[
        'places_of_cell()', 'person_signing_in(text)', 'person_of_session(bytea, timestamptz)', 'person_of_address(text, text)',
        'workspaces_of_person(bigint)', 'workspaces_beyond(bigint, bigint)', 'sessions_of_members(timestamptz)',
        'expire_session(timestamptz, integer)', 'expire_link(timestamptz, integer)',
        'expire_api_token(timestamptz, integer)', 'expire_notification(timestamptz, integer)']::regprocedure[] LOOP
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', crossing);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO {app}', crossing);
        EXECUTE format('ALTER FUNCTION %s OWNER TO {cell}', crossing);
    END LOOP;
END $$;
