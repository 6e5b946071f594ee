using EFedLLM.Actors.Identity;
using EFedLLM.Actors.Membership;
using EFedLLM.Node.Client;
using EFedLLM.Node.Http;
using Microsoft.Extensions.Logging.Abstractions;

namespace EFedLLM.Node.Tests.Http;

/// <summary>The real place where devices enrol, on a free port, with an authority of its own.</summary>
internal sealed class EnrolmentServer : IAsyncDisposable
{
    private readonly string _folder;
    private readonly EnrolmentHost _host;

    private EnrolmentServer(string folder, NodeIdentity identity, EnrolmentDesk desk, EnrolmentHost host) => (_folder, Identity, Desk, _host) = (folder, identity, desk, host);

    public NodeIdentity Identity { get; }

    public EnrolmentDesk Desk { get; }

    public string Address => $"127.0.0.1:{_host.Port}";

    public static async Task<EnrolmentServer> StartAsync()
    {
        var folder = Directory.CreateTempSubdirectory("efedllm-enrol-").FullName;
        using (var authority = CertificateAuthority.Create(Path.Combine(folder, "ca"), "ours", TimeSpan.FromDays(100)))
        {
            authority.Issue(Path.Combine(folder, "gateway"), "gateway", ["127.0.0.1"], TimeSpan.FromDays(10));
        }

        var identity = NodeIdentity.Load(Path.Combine(folder, "gateway"), Path.Combine(folder, "data"));
        var desk = EnrolmentDesk.Open(Path.Combine(folder, "ca"), identity, TimeProvider.System);
        return new EnrolmentServer(folder, identity, desk, await EnrolmentHost.StartAsync("127.0.0.1", 0, desk, identity, NullLoggerProvider.Instance));
    }

    public string In(string name) => Path.Combine(_folder, name);

    public InviteToken Invite(string? name = null, string? owner = null)
    {
        var (invite, secret) = Desk.Create(name, TimeSpan.FromHours(1), owner);
        return new InviteToken(invite.Id, secret, Desk.AuthorityFingerprint, Identity.Certificate.Fingerprint, invite.Expires, [Address], ["127.0.0.1:4053"]);
    }

    /// <summary>A device enrols.</summary>
    public async Task<JoinedCluster> EnrolAsync(InviteToken invite, string device, TimeProvider? time = null)
    {
        using var key = DeviceKey.LoadOrCreate(In($"{device}/device.key"));
        return await new EnrolmentClient(time ?? TimeProvider.System).EnrolAsync(invite, JoinedCluster.Folder(In(device), invite.Authority), key, device, CancellationToken.None);
    }

    public async ValueTask DisposeAsync()
    {
        await _host.DisposeAsync();
        Desk.Dispose();
        Directory.Delete(_folder, recursive: true);
    }
}
