"""Pauses a DAG as an operator does: over Airflow's API, with the demo's login."""

from __future__ import annotations

import httpx

from devstack.embedded import airflow
from tests.fault.soak_hour.plant import Plant


def set_paused(plant: Plant, dag: str, paused: bool) -> None:
    """Pause a DAG, or let it run again."""
    at = plant.settings.airflow_at
    login = {"username": airflow.USER, "password": plant.airflow_password()}
    token = httpx.post(f"{at}/auth/token", json=login, timeout=60).raise_for_status().json()["access_token"]
    httpx.patch(
        f"{at}/api/v2/dags/{dag}",
        json={"is_paused": paused},
        headers={"Authorization": f"Bearer {token}"},
        timeout=60,
    ).raise_for_status()
