"""The demo: releases several image versions on the local stack, from the event to the verdict."""
