"""Whom a provider's word means here: somebody who is linked, somebody recognised by a verified address, or somebody new."""

from __future__ import annotations

import unicodedata

from django.db import IntegrityError, transaction

from agents import actions as agents
from identity import applications, audit, clock, crypto, organizations, policy, sessions, users
from identity.errors import Invalid, NotFound
from identity.models import Application, Membership, User
from identity.models.user import key_of
from identity.principal import Kind, Principal, Role, Via
from integrations.models import ExternalIdentity, ExternalSignIn
from integrations.providers.policy import Policy
from integrations.providers.proof import Proof, SignInRefused, Why


def recognise(*, application: Application, proof: Proof, via: Via) -> ExternalIdentity:
    """Answer the identity that a proof is of, linked to a person of the application's organisation, roles up to date.

    Raises SignInRefused: unlinked, unverified, no address, or a person who is linked to somebody else there.
    """
    try:
        return _recognise(application, proof, via)
    except IntegrityError:
        # The same person in two tabs at once: the other one was faster, and now they are known.
        return _recognise(application, proof, via)


@transaction.atomic
def unlink(*, by: Principal, identity: ExternalIdentity) -> None:
    """Take away the link between a person and who they are at a provider, and end the person's browser sessions here.

    Where the policy recognises people by their address, the next one who comes with it is linked anew. Raises NotAllowed,
    NotAllowedWhileActing, NotFound.
    """
    policy.forbid_while_acting(by)
    if not by.is_system:
        policy.require(by, policy.Permission.PEOPLE_MANAGE)
    organization = identity.application.organization
    if by.organization_id not in (None, organization.pk):
        raise NotFound("no such link")
    # Whoever is on the way in finds the sign-in gone (`sign_in_with.keep`), or has a session already, which ends below.
    ExternalSignIn.objects.filter(identity=identity, session=None).delete()
    sessions.close_all(user=identity.user, reason="unlinked", by=by, organization=organization, doors=("portal",))
    ExternalIdentity.objects.filter(pk=identity.pk).delete()
    audit.record(
        "user.unlinked", by=by, subject=identity.user, organization=organization, application=identity.application_id, issuer=identity.issuer
    )  # fmt: skip


@transaction.atomic
def disconnect(*, by: Principal, application: Application, grant: str = "") -> None:
    """Disconnect an application: nobody is known by it any more, and the browser sessions of who came through it end.

    `grant` as for `applications.delete`. Raises NotAllowed, NotFound (another organisation's, deleted meanwhile).
    """
    applications.require_writer(by, grant=grant)
    if by.organization_id not in (None, application.organization_id):
        raise NotFound("no such application")
    # As in `unlink`.
    ExternalSignIn.objects.filter(application=application, session=None).delete()
    came = ExternalSignIn.objects.filter(application=application, session__ended_at=None).values("session")
    sessions.close_those(
        came, reason="application", by=by, subject=application.pk, organization=application.organization
    )
    applications.delete(by=by, application=application, grant=grant)


@transaction.atomic
def _recognise(application: Application, proof: Proof, via: Via) -> ExternalIdentity:
    at, by = clock.now(), _by(application, via)
    known = ExternalIdentity.objects.select_related("user").filter(
        application=application, issuer=proof.issuer, subject=proof.subject
    )
    identity = known.first() or _link(application, proof, by)
    ExternalIdentity.objects.filter(pk=identity.pk).update(last_used_at=at)
    _bring_up_to_date(application, proof, identity.user, by)
    return identity


def _link(application: Application, proof: Proof, by: Principal) -> ExternalIdentity:
    decided = Policy.of(application.config)
    organization = application.organization
    may_create = organization.creates_people_just_in_time
    if not (decided.links_by_email or may_create):
        raise SignInRefused(Why.UNLINKED)
    if not proof.email:
        raise SignInRefused(Why.NO_ADDRESS)
    if not proof.is_email_verified:
        # Whoever may type any address at the provider would take over the account that has it here.
        raise SignInRefused(Why.UNVERIFIED)
    user = users.find(name=proof.email) if "@" in proof.email else None
    is_theirs = user is not None and _is_at_home(user, application) and _is_one_mailbox(user.email, proof.email)
    if user is not None and not (decided.links_by_email and is_theirs):
        # Said like "unknown": that an account exists elsewhere is nobody's business.
        raise SignInRefused(Why.UNLINKED)
    if user is None and not may_create:
        raise SignInRefused(Why.UNLINKED)
    if (
        user is not None
        and ExternalIdentity.objects.filter(application=application, issuer=proof.issuer, user=user).exists()
    ):
        raise SignInRefused(Why.TAKEN)
    linked = user or _create(application, proof, by)
    identity = ExternalIdentity.objects.create(
        application=application, issuer=proof.issuer, subject=proof.subject, user=linked
    )
    audit.record(
        "user.linked", by=by, subject=linked, organization=organization, application=application.pk, issuer=proof.issuer,
        how="email" if user else "created",
    )  # fmt: skip
    return identity


def _is_at_home(user: User, application: Application) -> bool:
    """Say whether this organisation looks after the account: another's administrators vouch for nobody of it."""
    is_person = not (user.is_superuser or user.is_service)
    return is_person and user.default_organization_id == application.organization_id


def _is_one_mailbox(ours: str, theirs: str) -> bool:
    """Say whether two addresses differ in the case of ASCII letters at most.

    Here two are one already where they could be mistaken for each other (clarifications 49); `straße` and `strasse` are two
    domains for all that (RFC 5891), and whoever owns one of them has verified nothing about the other.
    """
    return ours.encode().lower() == theirs.encode().lower()


def _create(application: Application, proof: Proof, by: Principal) -> User:
    """Make the person, with a password that nobody knows. Raises SignInRefused for an address that is none."""
    try:
        made = users.create(
            by=by, username=_free_name(proof), email=proof.email, organization=application.organization,
            roles=proof.roles or (Role.AGENT,), first_name=proof.first_name[:150], last_name=proof.last_name[:150],
        )  # fmt: skip
    except Invalid as e:
        raise SignInRefused(Why.NO_ADDRESS, "the address cannot be used") from e
    return made.user


def _free_name(proof: Proof) -> str:
    """Answer a user name that is free: the provider's own, or what the address begins with, or that with a tail."""
    # As names are compared: what looks like an @ or a space there is none of a name's.
    said = unicodedata.normalize("NFKC", proof.username or proof.email).partition("@")[0]
    bare = "".join(c for c in said if c.isprintable() and not c.isspace())[:100] or "person"
    is_taken = User.objects.filter(username_key=key_of(bare)).exists()
    return f"{bare}-{crypto.make_readable(6).lower()}" if is_taken else bare


def _bring_up_to_date(application: Application, proof: Proof, user: User, by: Principal) -> None:
    """Give the roles and grants that the provider says, within this organisation and never above Admin (dialects.md 3.1)."""
    organization = application.organization
    held = organizations.membership(user=user, organization_id=organization.pk)
    if held is None or Policy.of(application.config).keeps_roles:
        return  # whoever left the organisation is not brought back by a provider
    if proof.roles is not None:
        _give_roles(held, proof.roles, by)
    if proof.grants is not None and set(proof.grants) != set(held.grants):
        organizations.grant(
            by=by, user=user, organization=organization, add=proof.grants, remove=set(held.grants) - set(proof.grants)
        )
    _seat(user, application, by)


def _give_roles(held: Membership, said: tuple[Role, ...], by: Principal) -> None:
    user, organization = held.user, held.organization
    wanted = set(said) - {Role.SERVICE}
    if Role.ADMIN not in wanted and organizations.is_last_admin(user, organization):
        # An organisation without an admin could not be put right by anybody in it.
        wanted.add(Role.ADMIN)
    if wanted != set(held.roles):
        organizations.join(by=by, user=user, organization=organization, roles=sorted(wanted))


def _seat(user: User, application: Application, by: Principal) -> None:
    """Give whoever takes calls an extension."""
    organization = application.organization
    held = organizations.membership(user=user, organization_id=organization.pk)
    is_agent = held is not None and bool({Role.AGENT, Role.SUPERVISOR} & set(held.roles))
    if is_agent and agents.of_user(user_id=user.pk, organization_id=organization.pk) is None:
        agents.create(by=by, user=user, organization=organization)


def _by(application: Application, via: Via) -> Principal:
    """Answer whose doing it is: the application's, under what an administrator decided about it."""
    return Principal(
        kind=Kind.SYSTEM, id=application.pk, name=f"application {application.pk}", via=via,
        organization_id=application.organization_id, organization_name=application.organization.name,
    )  # fmt: skip
