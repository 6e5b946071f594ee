using System.Collections.Immutable;
using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using EFedLLM.Actors.Identity;
using EFedLLM.Actors.Protocol;

namespace EFedLLM.Actors.Membership;

/// <summary>
/// Where the authority's key is: makes invites, enrols the devices that use them, and decides who is kept out. Safe for any thread.
/// </summary>
public sealed class EnrolmentDesk : IDisposable
{
    private const int IdBytes = 8;

    private static readonly TimeSpan CertificateLife = TimeSpan.FromDays(825);

    private readonly Lock _one = new();
    private readonly CertificateAuthority _authority;
    private readonly InviteFile _file;
    private readonly RevocationStore _revocations;
    private readonly TimeProvider _time;
    private readonly WrongSecretLimiter _limiter;
    private readonly Func<PublicKey, string, DeviceId, string?, string> _sign;

    private EnrolmentDesk(CertificateAuthority authority, InviteFile file, RevocationStore revocations, TimeProvider time, Func<PublicKey, string, DeviceId, string?, string>? sign)
    {
        (_authority, _file, _revocations, _time) = (authority, file, revocations, time);
        _limiter = new WrongSecretLimiter(time);
        _sign = sign ?? ((key, name, device, owner) => authority.Sign(key, name, device, CertificateLife, owner));
    }

    /// <summary>The authority's certificate, PEM.</summary>
    public string AuthorityPem => _authority.CertificatePem;

    /// <summary>The SHA-256 of the authority's public key, lower-case hexadecimal.</summary>
    public string AuthorityFingerprint => _authority.Fingerprint;

    /// <summary>The invites, the oldest first.</summary>
    public ImmutableArray<Invite> Invites
    {
        get
        {
            lock (_one)
            {
                return _file.Invites;
            }
        }
    }

    /// <summary>Opens the desk of an authority on a node.</summary>
    /// <param name="authorityFolder">The authority's folder; the invites lie in it too.</param>
    /// <param name="identity">The node.</param>
    /// <param name="time">The clock.</param>
    /// <exception cref="InvalidDataException">A file cannot be used, or the node is of another authority.</exception>
    /// <exception cref="IOException">Another process has opened it.</exception>
    public static EnrolmentDesk Open(string authorityFolder, NodeIdentity identity, TimeProvider time) => Open(authorityFolder, identity, time, null);

    /// <summary>The same with another way to sign.</summary>
    internal static EnrolmentDesk Open(string authorityFolder, NodeIdentity identity, TimeProvider time, Func<PublicKey, string, DeviceId, string?, string>? sign)
    {
        ArgumentNullException.ThrowIfNull(identity);
        var authority = CertificateAuthority.Load(authorityFolder, time);
        try
        {
            return authority.Fingerprint == identity.Certificate.AuthorityFingerprint
                ? new EnrolmentDesk(authority, InviteFile.Open(authorityFolder), identity.Revocations, time, sign)
                : throw new InvalidDataException($"This node's certificate is from another authority than the one in {authorityFolder}: --cert and --ca must fit together.");
        }
        catch
        {
            authority.Dispose();
            throw;
        }
    }

    /// <summary>Makes an invite.</summary>
    /// <param name="name">What the device is to be called, or null.</param>
    /// <param name="life">How long it may be used, <see cref="InviteRules.ShortestLife"/> to <see cref="InviteRules.LongestLife"/>.</param>
    /// <param name="owner">Whose the device is to be, as its certificate will say; null where nobody says.</param>
    /// <returns>The invite, and its secret, which is kept nowhere.</returns>
    public (Invite Invite, ImmutableArray<byte> Secret) Create(string? name, TimeSpan life, string? owner = null)
    {
        OwnerName.Check(owner);
        ArgumentOutOfRangeException.ThrowIfLessThan(life, InviteRules.ShortestLife);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(life, InviteRules.LongestLife);
        var secret = RandomNumberGenerator.GetBytes(InviteToken.SecretBytes);
        var now = _time.GetUtcNow();
        // The token knows whole seconds.
        var expires = DateTimeOffset.FromUnixTimeSeconds((now + life).ToUnixTimeSeconds());
        var invite = new Invite(Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(IdBytes)), name, Convert.ToHexStringLower(SHA256.HashData(secret)), now, expires, Owner: owner);
        lock (_one)
        {
            _file.Put(invite, now);
        }

        return (invite, [.. secret]);
    }

    /// <summary>Takes an invite back. One that was used stays used: its device is evicted, not its invite.</summary>
    /// <param name="id">The invite's id.</param>
    /// <returns>The invite now, or null where there is none.</returns>
    public Invite? Revoke(string id)
    {
        lock (_one)
        {
            var invite = _file.Invites.FirstOrDefault(invite => invite.Id == id);
            if (invite is not { State: InviteState.Open })
            {
                return invite;
            }

            var now = _time.GetUtcNow();
            invite = invite with { State = InviteState.Revoked, Changed = now };
            _file.Put(invite, now);
            return invite;
        }
    }

    /// <summary>Enrols a device that shows an invite. The invite counts as used, on disk, before anything is signed.</summary>
    /// <param name="request">What the device sent.</param>
    /// <param name="from">Its address.</param>
    /// <returns>The device's certificate, PEM, and its name.</returns>
    /// <exception cref="EnrolmentException">It is not admitted.</exception>
    /// <exception cref="IOException">The invite cannot be marked as used, so nothing was signed.</exception>
    public (string Certificate, string Name) Enrol(EnrolmentRequest request, IPAddress from)
    {
        ArgumentNullException.ThrowIfNull(request);
        ArgumentNullException.ThrowIfNull(from);
        lock (_one)
        {
            if (!_limiter.MayTry(from))
            {
                throw new EnrolmentException(EnrolmentRefusal.TooMany, "Too many wrong invites: wait a minute and try again.");
            }
        }

        if (!request.IsProven(ClusterId.Parse(AuthorityFingerprint)))
        {
            throw new EnrolmentException(EnrolmentRefusal.Malformed, "The device does not prove that it has its key and means this cluster.");
        }

        var key = Key(request);
        var device = DeviceKey.IdOf(request.DeviceKey.Span);
        lock (_one)
        {
            var now = _time.GetUtcNow();
            var invite = _file.Invites.FirstOrDefault(invite => invite.Id == request.Invite);
            Invite used;
            try
            {
                used = InviteRules.Use(invite, request.Secret.Span, device, request.Time, now);
            }
            catch (EnrolmentException refused) when (refused.Refusal == EnrolmentRefusal.Unknown)
            {
                _limiter.Count(from);
                throw;
            }

            if (_revocations.Current.Find(device) is { } decision)
            {
                throw new EnrolmentException(
                    EnrolmentRefusal.Evicted, $"This device was evicted from the cluster at {decision.At.UtcDateTime:yyyy-MM-dd HH:mm} UTC. Its operator can let it in again: efedllm cluster readmit {device}");
            }

            if (!ReferenceEquals(used, invite))
            {
                _file.Put(used, now);
            }

            var name = used.Name ?? request.Name;
            return (_sign(key, name, device, used.Owner), name);
        }
    }

    /// <summary>Decides that a device is kept out, or let in again. From the return on this node refuses it, or does not.</summary>
    /// <param name="device">The device.</param>
    /// <param name="revoked">Whether it is kept out.</param>
    /// <param name="keys">SHA-256 of the public keys of certificates that do not name it.</param>
    /// <param name="name">Its name for people.</param>
    /// <returns>The decision, to be spread; null where it stood already.</returns>
    /// <exception cref="InvalidOperationException">There were too many decisions.</exception>
    public SignedRevocation? Decide(DeviceId device, bool revoked, ImmutableArray<string> keys, string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        lock (_one)
        {
            var known = _revocations.Current;
            var standing = known.Find(device);
            if (revoked ? standing is not null && keys.All(standing.Keys.Contains) : standing is null)
            {
                return null;
            }

            if (known.Version >= ProtocolLimits.Revocations)
            {
                throw new InvalidOperationException($"This authority has decided {known.Version} times, which is the most: make a new one (efedllm cert ca) and invite the devices anew.");
            }

            var at = DateTimeOffset.FromUnixTimeMilliseconds(_time.GetUtcNow().ToUnixTimeMilliseconds());
            ImmutableArray<string> all = revoked ? [.. keys.Concat(standing?.Keys ?? []).Distinct().Take(ProtocolLimits.RevokedKeys)] : [];
            var signed = new Revocation(known.Version + 1, device, revoked, all, name.Length > Revocation.NameCharacters ? name[..Revocation.NameCharacters] : name, at).Sign(_authority);
            try
            {
                _revocations.Add([signed]);
            }
            catch (Exception error) when (error is IOException or UnauthorizedAccessException)
            {
                // It counts, and the others write it down: a full disk here must not keep the device in. The node tries again, and says so, when the decision comes back to it.
            }

            return signed;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _file.Dispose();
        _authority.Dispose();
    }

    private static PublicKey Key(EnrolmentRequest request)
    {
        try
        {
            return SigningRequest.Read(request.SigningRequest.ToArray());
        }
        catch (InvalidDataException error)
        {
            throw new EnrolmentException(EnrolmentRefusal.Malformed, error.Message);
        }
    }
}
