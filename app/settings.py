"""Django's settings for Orchestra; every value comes from the environment and is described in the README."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from app.environment import Environment

BASE_DIR = Path(__file__).resolve().parent.parent
env = Environment()
if env_file := os.environ.get("ORCHESTRA_ENV_FILE"):
    env.read_file(env_file)

# --- where things are -------------------------------------------------------------------------------------------
VAR = Path(env.str("ORCHESTRA_VAR", default=str(BASE_DIR / "var"))).resolve()
RUN_DIR = VAR / "run"  # sockets of the wake-up
TREES_DIR = VAR / "trees"  # module trees, by digest
ENVIRONMENTS_DIR = VAR / "environments"  # built environments, by digest
WORKFLOWS_DIR = VAR / "workflows"  # the local engine's store
REPOSITORY_DIR = VAR / "repository"  # the artifact repository: a folder with the keys that S3 would have
CACHE_DIR = Path(env.str("ORCHESTRA_CACHE", default=str(VAR / "cache"))).resolve()  # what uv downloads


def _secret_key() -> str:
    """The key of this installation, made once and kept readable by its owner only."""
    if key := env.str("ORCHESTRA_SECRET_KEY", default=""):
        return key
    path = VAR / "secret_key"
    VAR.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text()
    with os.fdopen(descriptor, "w") as file:
        file.write(key := secrets.token_urlsafe(60))
    return key


# --- Django -----------------------------------------------------------------------------------------------------
SECRET_KEY = _secret_key()
DEBUG = env.bool("ORCHESTRA_DEBUG", default=False)
ALLOWED_HOSTS = env.list("ORCHESTRA_ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
ROOT_URLCONF = "app.urls"
WSGI_APPLICATION = "app.wsgi.application"
APPEND_SLASH = False
AUTH_USER_MODEL = "accounts.User"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
FORMAT_MODULE_PATH = ["app.web.formats"]
STATIC_URL = "static/"
STATIC_ROOT = VAR / "static"

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "app.accounts",
    "app.amda",
    "app.engines",
    "app.artifacts",
    "app.catalogs",
    "app.modules",
    "app.schemas",
    "app.executions",
    "app.interfaces",
    "app.api",
    "app.web",
]

MIDDLEWARE = [
    "app.web.middleware.LoopbackOnly",
    "app.web.middleware.SameOrigin",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

DATABASES = {"default": env.database("DATABASE_URL", default=f"sqlite:///{VAR / 'orchestra.sqlite3'}")}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    Path(DATABASES["default"]["NAME"]).parent.mkdir(parents=True, exist_ok=True)
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,  # s
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    }
DATABASES["default"]["CONN_MAX_AGE"] = None
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

# Served on loopback without TLS by default; behind TLS the operator says so.
SECURE_TLS = env.bool("ORCHESTRA_TLS", default=False)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = SECURE_TLS
SECURE_HSTS_SECONDS = 31536000 if SECURE_TLS else 0  # s
SILENCED_SYSTEM_CHECKS = [] if SECURE_TLS else ["security.W004", "security.W008", "security.W012", "security.W016"]
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 2**20  # bytes, of a request's body outside of files

REST_FRAMEWORK = {
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.AllowAny"],  # LoopbackOnly is the guard until accounts
    "EXCEPTION_HANDLER": "app.api.errors.handler",
    "UNAUTHENTICATED_USER": None,
}

LOG_LEVEL = env.str("ORCHESTRA_LOG_LEVEL", default="INFO")
LOG_LEVEL = env.one_of("ORCHESTRA_LOG_LEVEL", LOG_LEVEL.upper(), ("INFO", "DEBUG", "WARNING", "ERROR", "CRITICAL"))
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "filters": {"worthwhile": {"()": "app.web.logs.Worthwhile"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "plain", "filters": ["worthwhile"]}},
    "root": {"handlers": ["console"], "level": LOG_LEVEL},
}

# --- Orchestra --------------------------------------------------------------------------------------------------
ENGINE = env.str("ORCHESTRA_ENGINE", default="app.engines.local.LocalEngine")
SANDBOX = env.str("ORCHESTRA_SANDBOX", default="auto")
env.one_of("ORCHESTRA_SANDBOX", SANDBOX, ("auto", "private", "plain"))
MAX_PODS = env.int("ORCHESTRA_MAX_PODS", default=2 * (os.cpu_count() or 1))  # nodes that run at once
MAX_NODES = env.int("ORCHESTRA_MAX_NODES", default=50_000)  # of one workflow
CANCEL_GRACE = env.float("ORCHESTRA_CANCEL_GRACE", default=10.0)  # s between TERM and KILL
LEASE_SECONDS = env.float("ORCHESTRA_LEASE", default=30.0)  # s; beaten three times as often
RUN_TIMEOUT = env.int("ORCHESTRA_RUN_TIMEOUT", default=6 * 3600)  # s, of a prediction whose module names none
BUILD_TIMEOUT = env.int("ORCHESTRA_BUILD_TIMEOUT", default=1800)  # s
OUTPUT_MAX_BYTES = env.int("ORCHESTRA_OUTPUT_MAX_BYTES", default=20 * 2**30)  # of a node, and of each of its files
WORKFLOW_KEEP = env.float("ORCHESTRA_WORKFLOW_KEEP", default=3600.0)  # s that the engine keeps a finished Workflow

COLLECT_EVERY = env.float("ORCHESTRA_COLLECT_EVERY", default=86400.0)  # s between two collections; 0: none
COLLECT_AFTER = env.float("ORCHESTRA_COLLECT_AFTER", default=604800.0)  # s that a leftover is kept

SOURCE_LOCAL = env.bool("ORCHESTRA_SOURCE_LOCAL", default=True)  # file URLs and local folders may be registered
SOURCE_MAX_BYTES = env.int("ORCHESTRA_SOURCE_MAX_BYTES", default=500 * 2**20)
SOURCE_MAX_FILES = env.int("ORCHESTRA_SOURCE_MAX_FILES", default=20_000)
SOURCE_TIMEOUT = env.float("ORCHESTRA_SOURCE_TIMEOUT", default=120.0)  # s, of a git clone
BUILD_URLS = env.list("ORCHESTRA_BUILD_URLS", default=[])  # prefixes that GET /build?url= accepts
BUILD_ENVIRONMENT = env.list(  # variables of the server that a build's nodes also see
    "ORCHESTRA_BUILD_ENVIRONMENT",
    default=["SSL_CERT_FILE", "SSL_CERT_DIR", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "UV_INDEX_URL",
             "UV_DEFAULT_INDEX", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS", "UV_NATIVE_TLS", "UV_SYSTEM_CERTS",
             "UV_PYTHON_INSTALL_DIR"],
)  # fmt: skip

AMDA_URL = env.str("ORCHESTRA_AMDA_URL", default="https://amda.irap.omp.eu")
AMDA_USER = env.str("ORCHESTRA_AMDA_USER", default="")
AMDA_PASSWORD = env.str("ORCHESTRA_AMDA_PASSWORD", default="")

env.check()
