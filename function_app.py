"""The function app: every trigger, and nothing else."""

import os

import azure.functions as func

from shared.settings import read_settings
from shared.triggers import event_grid, http_api, pages, storage_queues, telemetry, timer_triggers
from shared.triggers.runtime import Runtime
from shared.web import site

telemetry.configure(os.environ)
runtime = Runtime(read_settings(os.environ))

app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)
for blueprint in (event_grid, storage_queues, timer_triggers, http_api):
    app.register_functions(blueprint.blueprint(runtime))
app.register_functions(pages.blueprint(runtime, site))
