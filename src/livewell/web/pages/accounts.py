"""Signing in, inviting, signing out."""

from fastapi import APIRouter
from fastapi.responses import RedirectResponse

router = APIRouter()


@router.get("/sign-in/{token}")
def sign_in_by_link(token: str) -> RedirectResponse:
    """The link that `livewell serve` prints."""
    return RedirectResponse("/", 303)
