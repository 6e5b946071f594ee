using System.Collections.Immutable;
using System.Net;
using System.Security.Cryptography.X509Certificates;
using EFedLLM.Actors.Identity;
using EFedLLM.Actors.Membership;
using EFedLLM.Actors.Protocol;

namespace EFedLLM.Actors.Tests.Membership;

/// <summary>An authority in a folder of its own, the node that invites with it, and devices that want in.</summary>
internal sealed class DeskFixture : IDisposable
{
    public static readonly TimeSpan Hour = TimeSpan.FromHours(1);

    public static readonly IPAddress Here = IPAddress.Parse("192.0.2.1");

    private readonly string _folder = Directory.CreateTempSubdirectory("efedllm-desk-").FullName;

    public DeskFixture()
    {
        using var authority = CertificateAuthority.Create(In("ca"), "ours", TimeSpan.FromDays(3650));
        authority.Issue(In("gateway"), "gateway", ["127.0.0.1"], TimeSpan.FromDays(800));
        Identity = NodeIdentity.Load(In("gateway"), In("data"));
        Desk = Open();
    }

    public ManualTime Time { get; } = new();

    public NodeIdentity Identity { get; }

    public EnrolmentDesk Desk { get; private set; }

    public string In(string name) => Path.Combine(_folder, name);

    /// <summary>The gateway's process ends and another begins.</summary>
    public void Restart(Func<PublicKey, string, DeviceId, string?, string>? sign = null)
    {
        Desk.Dispose();
        Desk = Open(sign);
    }

    /// <summary>A device that asks with an invite.</summary>
    public EnrolmentRequest Request(string device, Invite invite, ImmutableArray<byte> secret)
    {
        using var key = DeviceKey.LoadOrCreate(In($"{device}/device.key"));
        var request = SigningRequest.Make(In($"{device}/certificate"), device);
        return new EnrolmentRequest(
            invite.Id, secret.ToArray(), request, key.PublicKey, key.Sign(EnrolmentRequest.Statement(ClusterId.Parse(Desk.AuthorityFingerprint), invite.Id, request)), device, Time.GetUtcNow());
    }

    /// <summary>Why a request is refused.</summary>
    public EnrolmentRefusal Refusal(EnrolmentRequest request, IPAddress? from = null)
        => Assert.Throws<EnrolmentException>(() => Desk.Enrol(request, from ?? Here)).Refusal;

    /// <summary>The id of a device.</summary>
    public DeviceId Device(string name)
    {
        using var key = DeviceKey.LoadOrCreate(In($"{name}/device.key"));
        return key.Device;
    }

    public void Dispose()
    {
        Desk.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private EnrolmentDesk Open(Func<PublicKey, string, DeviceId, string?, string>? sign = null) => EnrolmentDesk.Open(In("ca"), Identity, Time, sign);
}
