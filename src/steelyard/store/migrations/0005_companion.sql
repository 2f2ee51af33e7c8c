-- The companion: browsers that are connected, domains the team trusts, host rules of its own.
-- Runs as the owner. {app} and {cell} are the names of the application's role and of the role that crosses workspaces.

-- Also what this machine did, which is nobody in particular.
DROP INDEX ledger_audit;
CREATE INDEX ledger_audit ON ledger (workspace, position) WHERE person IS NOT NULL OR kind LIKE 'person.%'
    OR kind LIKE 'run.%' OR kind LIKE 'site.%' OR kind LIKE 'host.%' OR kind LIKE 'toolbox.%' OR kind LIKE 'handbook.%'
    OR kind LIKE 'companion.%'
    OR kind IN ('token.made', 'token.revoked', 'settings.changed', 'notification.changed', 'policy.adopted',
                'routing.switched', 'engineer.rotation_changed', 'engineer.away_asked', 'engineer.away_refused',
                'conversation.move_asked', 'conversation.moved', 'conversation.move_overtaken',
                'conversation.move_refused', 'aside.retried', 'conversation.read_asked', 'reading.asked');

-- What a browser is connected by: works once, for ten minutes.
CREATE TABLE companion_code (
    workspace  text NOT NULL,
    code_hash  bytea NOT NULL,                    -- SHA-256 of the secret
    person     bigint NOT NULL REFERENCES person ON DELETE CASCADE,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (workspace, code_hash)
);

-- Which API tokens are a companion's, and in which browser.
CREATE TABLE companion_browser (
    workspace text NOT NULL,
    token     bigint NOT NULL,
    browser   text NOT NULL,                      -- as it calls itself: hostile text
    PRIMARY KEY (workspace, token),
    FOREIGN KEY (workspace, token) REFERENCES api_token ON DELETE CASCADE
);

-- Domains whose links stay clickable for the whole team, and those that somebody proposes.
CREATE TABLE companion_trust (
    workspace   text NOT NULL,
    trust       bigint GENERATED ALWAYS AS IDENTITY, -- its number, for facts
    domain      text NOT NULL,                    -- example.com with all below it, =example.com alone
    state       text NOT NULL,                    -- proposed, trusted, declined or removed
    proposed_by bigint,                           -- NULL: this machine
    proposed_at timestamptz NOT NULL,
    decided_by  bigint,
    decided_at  timestamptz,                      -- NULL: nobody decided yet
    PRIMARY KEY (workspace, trust)
);
CREATE UNIQUE INDEX companion_trust_domain ON companion_trust (workspace, domain);

-- Every version of the host rules; the last one holds.
CREATE TABLE companion_rules (
    workspace text NOT NULL,
    version   integer NOT NULL,
    rules     text NOT NULL,                      -- JSON as it was written; empty: those that are built in
    person    bigint,                             -- NULL: this machine
    at        timestamptz NOT NULL,
    PRIMARY KEY (workspace, version)
);

DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['companion_code', 'companion_browser', 'companion_trust', 'companion_rules'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO {app}', name);
        EXECUTE format('CREATE POLICY own_workspace ON %I TO {app} USING (workspace = current_setting(''steelyard.workspace'', true))', name);
    END LOOP;
END $$;
GRANT SELECT, DELETE ON companion_code TO {cell};
CREATE POLICY across ON companion_code TO {cell} USING (true);

CREATE FUNCTION expire_companion_code(before timestamptz, most integer) RETURNS integer
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH gone AS (
        DELETE FROM companion_code WHERE (workspace, code_hash) IN (
            SELECT each.workspace, each.code_hash FROM companion_code AS each
            WHERE each.expires_at <= least(before, now()) LIMIT most)
        RETURNING 1
    )
    SELECT count(*)::integer FROM gone
$$;

-- Ends the codes that wait for somebody, in whichever workspaces: with their password, as their sessions end.
CREATE FUNCTION drop_companion_codes(wanted bigint) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    DELETE FROM companion_code WHERE person = wanted
$$;

DO $$
DECLARE crossing regprocedure;
BEGIN
    FOREACH crossing IN ARRAY ARRAY['expire_companion_code(timestamptz, integer)',
                                    'drop_companion_codes(bigint)']::regprocedure[] LOOP
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', crossing);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO {app}', crossing);
        EXECUTE format('ALTER FUNCTION %s OWNER TO {cell}', crossing);
    END LOOP;
END $$;
