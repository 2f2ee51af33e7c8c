"""What Steelyard's own rules find, in words. Packs that operators load say it themselves. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from steelyard.web.said import N_, Message

RULES: Final[Mapping[str, Message]] = {
    # core, plugins and themes beside their manifests
    "core_changed": N_("A file of WordPress is not as it was released."),
    "core_missing": N_("A file of WordPress is missing."),
    "core_added": N_("A file lies in the folders of WordPress that no release has."),
    "extension_changed": N_("A file of a plugin or theme is not as it was released."),
    "extension_missing": N_("A file of a plugin or theme is missing."),
    "extension_added": N_("A program lies in a plugin or theme that its release does not have."),
    # places and settings
    "php_in_uploads": N_("A program lies where only media belong."),
    "php_in_cache": N_("A program lies in a cache. Some plugins do this."),
    "php_in_hidden_folder": N_("A program lies in a hidden folder."),
    "php_hidden": N_("A program hides behind a dot at the beginning of its name."),
    "php_beside_drop_ins": N_("A program lies in wp-content, where only drop-ins of known names belong."),
    "php_inside_another": N_("A picture or a font holds PHP."),
    "php_before_every_page": N_("A program is run before or after every page. Firewalls do this too."),
    "handler_for_other_files": N_("The web server is told to run files as PHP that are none."),
    "searchers_sent_away": N_("Visitors from search engines are sent to another site."),
    # obfuscation.yar
    "eval_of_decoded": N_("Decoded text is run as code."),
    "decoders_in_a_row": N_("Several decoders stand around each other, and the result is run."),
    "eval_of_long_text": N_("A long encoded text stands in a file that runs what it decodes."),
    "spelled_backwards_or_rotated": N_("The name of a function that runs code was made unreadable."),
    "name_in_pieces": N_("The name of a function that runs code is put together from pieces."),
    "built_from_characters": N_("A text is put together character by character, and something is run."),
    "hidden_globals": N_("The names of variables are written as codes."),
    "look_alike_names": N_("Variables are called so that nobody can tell them apart."),
    "jumps_about": N_("The code hardly does anything but jump: a tool made it unreadable."),
    "replace_and_run": N_("A replacement is run as code."),
    "function_from_text": N_("A function is made from encoded text, or from what a visitor sends."),
    # visitors.yar
    "eval_of_request": N_("What a visitor sends is run as code."),
    "request_names_the_function": N_("A visitor says which function is called."),
    "function_in_a_variable_gets_request": N_("A function with a hidden name is given what a visitor sends."),
    "command_of_request": N_("What a visitor sends is run as a command."),
    "connects_back": N_("It opens a shell to another machine."),
    "many_tools_of_a_shell": N_("Files, commands and the machine in one page: a web shell."),
    "shell_by_its_name": N_("It calls itself what known web shells are called."),
    "password_before_a_door": N_("A password of its own stands before something that runs, writes or uploads."),
    "uploader": N_("It takes any file from any visitor."),
    "writes_what_is_sent": N_("It writes a file with what a visitor sends."),
    "fetches_and_runs": N_("It fetches code from elsewhere and runs it."),
    "fetches_a_program": N_("It fetches something from elsewhere and writes it as a program."),
    # wordpress.yar
    "eval_of_option": N_("Code is kept in the database and run from there."),
    "option_opens_the_site": N_("It makes every new account an administrator."),
    "option_sends_visitors_away": N_("It gives the site another address."),
    "makes_an_administrator": N_("It makes an administrator with a password that stands in the code."),
    "hides_a_user": N_("It keeps an account out of the list of users."),
    "signs_in_without_a_password": N_("Whoever knows an address is signed in as an administrator."),
    "plugin_that_hides": N_("A plugin takes itself out of the list of plugins."),
    "fake_plugin": N_("The header of a plugin stands before a door for attackers."),
    "mailer": N_("It sends mail to a list that a visitor gives."),
    "includes_an_image": N_("A picture is run as code."),
    "php_in_an_image": N_("A picture, a font or a style sheet holds a program."),
    "redirects_those_who_search": N_("Visitors from search engines are sent elsewhere, or shown something else."),
    "script_that_decodes_itself": N_("A script is written out from codes."),
    # the database
    "address_of_another": N_("The site’s address in its options is another one than in the registry."),
    "address_with_code": N_("The site’s address in its options holds code."),
    "everybody_becomes_administrator": N_("Every new account becomes an administrator."),
    "code_in_database": N_("The database holds code that runs what it decodes, or what a visitor sends."),
    "coded_script": N_("The database holds a script that is written out from codes."),
    "invisible_frame": N_("The database holds a frame that nobody can see."),
    "script_from_elsewhere": N_("A script or frame comes from another site. It may be wanted."),
    "hidden_links": N_("Published text holds links that nobody can see."),
    "administrator_out_of_place": N_("An administrator looks as if somebody made it who broke in."),
    "cron_unreadable": N_("The list of scheduled tasks cannot be read."),
    "cron_calls_code": N_("A scheduled task bears the name of a function that runs code."),
    "cron_given_code": N_("A scheduled task is given code or the address of a program."),
    "cron_random_name": N_("A scheduled task has a name that nobody can read."),
}

WHY_SKIPPED: Final[Mapping[str, Message]] = {
    "too_large": N_("larger than 64 MB, and no program"),
    "cut": N_("larger than 2 MB: only its beginning and its end were read"),
    "timed_out": N_("the rules took too long on it"),
    "not_scanned": N_("the rules could not be used on it"),
    "scanner_ended": N_("the scanner ended over it"),
    "denied": N_("the site’s user may not read it"),
    "missing": N_("gone while the scan ran"),
    "not_a_file": N_("no file any more when it was read"),
}
"""Why a file was not looked at, or not whole, by code."""

WHY_GIVEN_UP: Final[Mapping[str, Message]] = {
    "fell": N_("The host’s own yara-x ended before it was done: the rest was judged beside the worker."),
    "failed": N_("The host’s own yara-x could not be asked: the rest was judged beside the worker."),
    "timed_out": N_("The host’s own yara-x took too long: the rest was judged beside the worker."),
    "bad_output": N_("The host’s own yara-x answered nonsense: the rest was judged beside the worker."),
}
"""Why a host's own yara-x was not asked to the end, by code."""

LOCKS: Final[Mapping[str, Message]] = {
    "parent": N_("ends when the worker ends"),
    "limits": N_("bounded memory and time"),
    "user": N_("a user without rights"),
    "network": N_("no network"),
    "calls": N_("few system calls"),
}
"""What locks the scanner in, by what sandbox.py calls it."""

SEVERITIES: Final[Mapping[str, Message]] = {
    "malicious": N_("Malicious"),
    "suspicious": N_("Suspicious"),
    "odd": N_("Odd"),
}
"""How bad a finding is."""

SEVERITY_MEANS: Final[Mapping[str, Message]] = {
    "malicious": N_("Nobody writes this for a good reason. Quarantine it, then find out how it came here."),
    "suspicious": N_("It may be an attack or an unusual plugin. Look at the evidence."),
    "odd": N_("It is often harmless. Look at it when something else was found."),
}
"""What to do about it."""

KINDS: Final[Mapping[str, Message]] = {
    "core": N_("Released file"),
    "file": N_("File"),
    "option": N_("Option"),
    "post": N_("Post or page"),
    "user": N_("Administrator"),
    "cron": N_("Scheduled task"),
}
"""What a finding is about."""
