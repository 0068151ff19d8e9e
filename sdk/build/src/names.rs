//! Names that no project can have in a language, although they are well formed: it would not build.
//!
//! Never looks at what is installed: a name is taken everywhere or nowhere.

use crate::Language;

/// Words of Rust, edition 2024, that are no identifiers (Rust Reference, "Keywords").
const RUST_KEYWORDS: &str = "abstract as async await become box break const continue crate do dyn \
    else enum extern false final fn for gen if impl in let loop macro match mod move mut override \
    priv pub ref return self static struct super trait true try type typeof unsafe unsized use \
    virtual where while yield";

/// Crates that are there already, in the compiler or in the project.
const RUST_CRATES: &str = "alloc core offstage_sdk proc_macro std test";

/// Words of Python that are no identifiers (`keyword.kwlist`).
const PYTHON_KEYWORDS: &str = "and as assert async await break class continue def del elif else \
    except finally for from global if import in is lambda nonlocal not or pass raise return try \
    while with yield";

/// Modules of Python's library (`sys.stdlib_module_names` of 3.11, and what came since), and of a
/// project. A module of the same name would stand before them, for the SDK too.
const PYTHON_MODULES: &str = "componentize_py_runtime offstage wit_world \
    abc aifc annotationlib antigravity argparse array ast asynchat asyncio asyncore atexit \
    audioop base64 bdb binascii bisect builtins bz2 calendar cgi cgitb chunk cmath cmd code \
    codecs codeop collections colorsys compileall compression concurrent configparser contextlib \
    contextvars copy copyreg crypt csv ctypes curses dataclasses datetime dbm decimal difflib \
    dis distutils doctest email encodings ensurepip enum errno faulthandler fcntl filecmp \
    fileinput fnmatch fractions ftplib functools gc genericpath getopt getpass gettext glob \
    graphlib grp gzip hashlib heapq hmac html http idlelib imaplib imghdr imp importlib inspect \
    io ipaddress itertools json keyword lib2to3 linecache locale logging lzma mailbox mailcap \
    marshal math mimetypes mmap modulefinder msilib msvcrt multiprocessing netrc nis nntplib nt \
    ntpath nturl2path numbers opcode operator optparse os ossaudiodev pathlib pdb pickle \
    pickletools pipes pkgutil platform plistlib poplib posix posixpath pprint profile pstats pty \
    pwd py_compile pyclbr pydoc pydoc_data pyexpat queue quopri random re readline reprlib \
    resource rlcompleter runpy sched secrets select selectors shelve shlex shutil signal site \
    smtpd smtplib sndhdr socket socketserver spwd sqlite3 sre_compile sre_constants sre_parse \
    ssl stat statistics string stringprep struct subprocess sunau symtable sys sysconfig syslog \
    tabnanny tarfile telnetlib tempfile termios textwrap this threading time timeit tkinter \
    token tokenize tomllib trace traceback tracemalloc tty turtle turtledemo types typing \
    unicodedata unittest urllib uu uuid venv warnings wave weakref webbrowser winreg winsound \
    wsgiref xdrlib xml xmlrpc zipapp zipfile zipimport zlib zoneinfo";

/// What in the language has this name already; `None` as the language is Rust.
pub(crate) fn taken(language: Option<Language>, name: &str) -> Option<&'static str> {
    let lists: &[(&str, &'static str)] = match language {
        None => {
            &[(RUST_KEYWORDS, "a keyword of Rust"), (RUST_CRATES, "a crate of Rust or the SDK")]
        }
        Some(Language::Python) => &[
            (PYTHON_KEYWORDS, "a keyword of Python"),
            (PYTHON_MODULES, "a module of Python or the SDK"),
        ],
        // There a name is that of a file only.
        Some(Language::C | Language::Javascript) => &[],
    };
    let name = name.replace('-', "_");
    let list = lists.iter().find(|(list, _)| list.split_whitespace().any(|word| word == name));
    list.map(|(_, what)| *what)
}
