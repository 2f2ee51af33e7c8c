"""What `There` has a plain shell do, with its words as $1, $2, ...: never part of it. POSIX, as of GNU and busybox.

Their own statuses: 91 it is there already, 92 it is a link, 93 what comes before is missing, 94 another file system,
95 it is no file, 90 it was done, but in three renames.
"""

STAT = "%f %s %u %g %d %i %h %y|%z|%U"

PART = """
[ -e "$1" ] && ! [ -f "$1" ] && exit 95
if [ "$2" -ge 0 ]; then tail -c "+$(($2 + 1))" -- "$1"; else tail -c "${2#-}" -- "$1"; fi | head -c "$3"
[ -r "$1" ] || exec cat -- "$1"
"""

WRITE = """
[ -d "$1" ] && exit 95
half=$(mktemp -- "$1.XXXXXX") || exit 1
trap 'rm -f -- "$half"' EXIT
cat >"$half" || exit 1
[ "$(wc -c <"$half")" -eq "$3" ] || { echo "No space left on device" >&2; exit 1; }
chmod "$2" "$half" && { sync -- "$half" 2>/dev/null || sync; } && mv -f -- "$half" "$1"
"""

PUT = """
[ -L "$1" ] && exit 92
[ -e "$1" ] || { umask 077; : >"$1" || exit 1; }
[ "$(wc -c <"$1")" -ge "$2" ] || exit 93
truncate -s "$2" -- "$1" && cat >>"$1" || exit 1
[ "$(wc -c <"$1")" -eq "$3" ] || { echo "No space left on device" >&2; exit 1; }
sync -- "$1" 2>/dev/null || sync
"""

REAL = """
real=$(readlink -f -- "$1"; printf x) && [ -e "$1" ] && printf %s "${real%x}" && exit 0
exec stat -L -- "$1"
"""

MAKE_FOLDER = '[ -d "$1" ] || { mkdir -p -- "$(dirname -- "$1")" && mkdir -- "$1" && chmod "$2" "$1"; }'

OWN = """
mkdir -m 700 -- "$1" 2>/dev/null && exit 0
[ -d "$1" ] && ! [ -L "$1" ] && [ -O "$1" ] && exec chmod 700 "$1"
[ -e "$1" ] && { echo "Permission denied" >&2; exit 1; }
exec mkdir -m 700 -- "$1"
"""

CHMOD = '[ -L "$1" ] && exit 92; exec chmod "$2" "$1"'

RENAME = """
if [ -e "$2" ] || [ -L "$2" ]; then exit 91; fi
from=$(stat -c %d -- "$1") && to=$(stat -c %d -- "$(dirname -- "$2")") || exit 1
[ "$from" = "$to" ] || exit 94
exec mv -T -- "$1" "$2"
"""

EXCHANGE = """
stat -- "$1" "$2" >/dev/null || exit 1
mv --exchange -T -- "$1" "$2" 2>/dev/null && exit 0
mv -T -- "$1" "$1.between" || exit 1
mv -T -- "$2" "$1" || { mv -T -- "$1.between" "$1"; exit 1; }
mv -T -- "$1.between" "$2" && exit 90
"""

REMOVE = 'if [ -d "$1" ] && ! [ -L "$1" ]; then echo "Is a directory" >&2; exit 1; fi; exec rm -f -- "$1"'

REMOVE_TREE = """
rm -rf -- "$1" 2>/dev/null && exit 0
find "$1" -type d -exec chmod u+rwx {} + 2>/dev/null
exec rm -rf -- "$1"
"""

COPY = """
said=$(cp -a --remove-destination -T -- "$1" "$2" 2>&1) && exit 0
case $said in *recognized\\ option*) exec cp -a -f -T -- "$1" "$2";; esac
printf '%s\\n' "$said" >&2
exit 1
"""

WALK = """
find "$1/." -mindepth 1 -printf '%y %s %m %U %G %T@ %C@ %D %i %n %u|%P\\0' && exit 0
[ "$(find "$1/." -maxdepth 0 -printf x 2>/dev/null)" = x ] && exit 1
exec find "$1/." -mindepth 1 -exec stat -c '%f %s %u %g %d %i %h %y|%z|%U' {} \\; -print0
"""

DIGESTS = """
cd -- "$1" 2>/dev/null || exit 0
xargs -0 sh -c 'for f; do [ -f "$f" ] && ! [ -L "$f" ] && printf "%s\\0" "$f"; done; :' sh | xargs -0 -r sha256sum --
"""
