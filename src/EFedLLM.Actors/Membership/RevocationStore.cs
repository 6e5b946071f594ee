using System.Collections.Immutable;
using System.Security.Cryptography.X509Certificates;
using EFedLLM.Actors.Identity;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Protocol.Wire;
using Google.Protobuf;
using Form = EFedLLM.Actors.Protocol.Wire.Forms;

namespace EFedLLM.Actors.Membership;

/// <summary>
/// The revocations that one node knows of, in memory and in a file of its data folder, so that a restart refuses whom it refused before.
/// Only what the authority signed gets in, and it only grows. Safe for any thread.
/// </summary>
public sealed class RevocationStore
{
    private const int MaxFileBytes = ProtocolLimits.Revocations * 512;

    private readonly Lock _writing = new();
    private readonly string _file;
    private readonly X509Certificate2 _authority;
    private volatile RevocationSet _current = RevocationSet.Empty;
    private bool _isUnsaved;

    private RevocationStore(string file, X509Certificate2 authority) => (_file, _authority) = (file, authority);

    /// <summary>What is known now.</summary>
    public RevocationSet Current => _current;

    /// <summary>The store of a node.</summary>
    /// <param name="folder">The node's data folder; the file in it bears the authority's name, so that a node may move between clusters.</param>
    /// <param name="authority">The authority's certificate.</param>
    /// <exception cref="InvalidDataException">There is a file that cannot be used.</exception>
    public static RevocationStore Open(string folder, X509Certificate2 authority)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        ArgumentNullException.ThrowIfNull(authority);
        var store = new RevocationStore(
            Path.Combine(folder, $"revocations-{CertificateRules.Fingerprint(authority)[..16]}"), X509CertificateLoader.LoadCertificate(authority.RawData));
        var kept = store.ReadFile();
        store._current = store.Known(kept);
        return store._current.Signed.Length == kept.Length ? store : throw store.Unusable("not all of it is signed by the cluster's authority in the form of this version.", null);
    }

    /// <summary>Why a certificate is no longer accepted, or null when it is.</summary>
    public string? Reject(X509Certificate2 certificate)
        => _current.Find(CertificateRules.Fingerprint(certificate), CertificateRules.DeviceOf(certificate)) is { } decision
            ? $"device {decision.Device.Short} was evicted"
            : null;

    /// <summary>Takes decisions; those that the authority did not sign, and those known already, change nothing.</summary>
    /// <param name="signed">What arrived.</param>
    /// <returns>Whether anything is new.</returns>
    /// <exception cref="IOException">It counts from now on, but could not be written: that is tried again with the next call, and until then the node has to hear of it again after a restart.</exception>
    public bool Add(IEnumerable<SignedRevocation> signed)
    {
        ArgumentNullException.ThrowIfNull(signed);
        lock (_writing)
        {
            var next = Known(signed);
            var isNews = !ReferenceEquals(next, _current);
            if (!isNews && !_isUnsaved)
            {
                return false;
            }

            // First what keeps the device out now, then what keeps it out after a restart.
            (_current, _isUnsaved) = (next, true);
            var form = new Form.RevocationFile();
            form.Revocations.Add(next.Signed.Select(MembershipCodecs.Write));
            SecretFile.Replace(_file, form.ToByteArray());
            _isUnsaved = false;
            return isNews;
        }
    }

    private RevocationSet Known(IEnumerable<SignedRevocation> signed) => signed.Aggregate(
        _current, (known, one) => Revocation.Read(one, _authority) is { } decision ? known.With(decision, one) : known);

    private ImmutableArray<SignedRevocation> ReadFile()
    {
        if (!File.Exists(_file))
        {
            return [];
        }

        try
        {
            return new FileInfo(_file).Length <= MaxFileBytes
                ? [.. Form.RevocationFile.Parser.ParseFrom(File.ReadAllBytes(_file)).Revocations.Select(MembershipCodecs.Read)]
                : throw new InvalidDataException("it is too long");
        }
        catch (Exception error) when (error is InvalidProtocolBufferException or MalformedMessageException or InvalidDataException or IOException or UnauthorizedAccessException)
        {
            // Going on without it would let in whoever was evicted.
            throw Unusable(error.Message, error);
        }
    }

    private InvalidDataException Unusable(string problem, Exception? error)
        => new($"{_file} holds the devices that were evicted and cannot be used: {problem} Delete it, and the node learns them again from the cluster.", error);
}
