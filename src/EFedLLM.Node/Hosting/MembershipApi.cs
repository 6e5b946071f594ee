using System.Collections.Immutable;
using Akka.Actor;
using EFedLLM.Actors.Configuration;
using EFedLLM.Actors.Membership;
using EFedLLM.Actors.Protocol;
using EFedLLM.Node.Api;
using EFedLLM.Node.CommandLine;
using EFedLLM.Node.Http;

namespace EFedLLM.Node.Hosting;

/// <summary>Invites and evicts where the node has the authority's key; elsewhere it tells who is kept out, and what inviting needs.</summary>
internal sealed class MembershipApi : IMembershipApi
{
    private readonly NodeIdentity? _identity;
    private readonly ViewFeed _view;
    private readonly EnrolmentDesk? _desk;
    private readonly OperatorToken? _operator;
    private readonly IActorRef? _membership;
    private readonly string? _address;

    /// <summary>For a node without the authority's key.</summary>
    /// <param name="identity">The node, or null where it uses no TLS.</param>
    /// <param name="view">The cluster as it sees it.</param>
    public MembershipApi(NodeIdentity? identity, ViewFeed view) => (_identity, _view) = (identity, view);

    /// <summary>For the node with the authority's key.</summary>
    /// <param name="identity">The node.</param>
    /// <param name="view">The cluster as it sees it.</param>
    /// <param name="desk">Enrols devices.</param>
    /// <param name="token">What operators show.</param>
    /// <param name="membership">Spreads decisions.</param>
    /// <param name="address">Where devices enrol, <c>host:port</c>.</param>
    public MembershipApi(NodeIdentity identity, ViewFeed view, EnrolmentDesk desk, OperatorToken token, IActorRef membership, string address)
        : this(identity, view) => (_desk, _operator, _membership, _address) = (desk, token, membership, address);

    /// <inheritdoc/>
    public string? WhyNot => (_desk, _identity) switch
    {
        (not null, _) => null,
        (null, null) => "This cluster uses no certificates, so it can neither invite nor evict: start it with an authority of its own, \"efedllm up --ca <folder> --host <this machine's address>\".",
        _ => "This gateway has not the authority's key, so it can neither invite nor evict: ask the one that was started with --ca, or start this one with it.",
    };

    /// <inheritdoc/>
    public bool MayOperate(string? token) => _operator?.Matches(token) == true;

    /// <inheritdoc/>
    public InviteResult Invite(InviteRequest request)
    {
        var (invite, secret) = Try(() => _desk!.Create(request.Name, TimeSpan.FromSeconds(request.Seconds), request.Owner));
        var seeds = Seeds();
        var token = new InviteToken(invite.Id, secret, _desk!.AuthorityFingerprint, _identity!.Certificate.Fingerprint, invite.Expires, [_address!], seeds).ToString();
        return new InviteResult(Facts(invite), token, $"efedllm join {token}", _desk.AuthorityFingerprint, [_address!], seeds);
    }

    /// <inheritdoc/>
    public IReadOnlyList<InviteFacts> Invites() => [.. _desk!.Invites.Select(Facts)];

    /// <inheritdoc/>
    public InviteFacts? RevokeInvite(string id) =>
        _desk!.Invites.Where(invite => invite.Id.StartsWith(id, StringComparison.Ordinal)).Take(2).ToList() is [var only] && _desk.Revoke(only.Id) is { } invite ? Facts(invite) : null;

    /// <inheritdoc/>
    public async Task<EvictResult> EvictAsync(EvictRequest request, CancellationToken cancellation)
    {
        var view = _view.Latest;
        var (device, name) = Find(request.Device, view);
        var targets = EvictionTargets.Of(device, _identity!.Certificate.Device, view);
        if (targets.IsSelf || request.Key == _identity.Certificate.Fingerprint)
        {
            throw ApiException.Invalid("device", "That is this gateway itself: it cannot evict itself. Stop it instead.");
        }

        ImmutableArray<string> keys = request.Key is { } key ? [key] : [];
        var signed = Try(() => _desk!.Decide(device, revoked: true, keys, name));
        var standing = _identity.Revocations.Current;
        // One that stands already is spread again: a node of the device may have come back in the meantime.
        var everywhere = await _membership!.SpreadAsync(signed ?? standing.SignedFor(device)!, targets.Nodes, cancellation);
        return new EvictResult(device.Value, name, Evicted: true, signed is not null, everywhere, [.. targets.Nodes.Select(Text)], Warn(device, standing, targets.Doubtful));
    }

    /// <inheritdoc/>
    public async Task<EvictResult> ReadmitAsync(EvictRequest request, CancellationToken cancellation)
    {
        var (device, name) = Find(request.Device, _view.Latest);
        var signed = Try(() => _desk!.Decide(device, revoked: false, [], name));
        var everywhere = signed is null || await _membership!.SpreadAsync(signed, [], cancellation);
        return new EvictResult(device.Value, name, Evicted: false, signed is not null, everywhere, []);
    }

    /// <inheritdoc/>
    public IReadOnlyList<EvictedFacts> Evicted() => _identity is null ? [] :
        [.. _identity.Revocations.Current.Evicted.Select(decision => new EvictedFacts(decision.Device.Value, decision.Name, decision.At, decision.Version, decision.Keys))];

    private string? Warn(DeviceId device, RevocationSet known, IReadOnlyList<Address> kept)
    {
        if (kept.Count > 0)
        {
            return $"It says that it is at {string.Join(", ", kept.Select(Text))}, where an anchor or another device is: that node was not taken out. Stop it by hand where it is.";
        }

        return known.Find(device) is { Keys.IsEmpty: true } && !_desk!.Invites.Any(invite => invite.Device == device)
            ? "It was not enrolled by an invite of this gateway. If its certificate was made with \"efedllm cert issue\", it does not name the device: evict it again with --cert and its node.crt, so that the certificate is refused."
            : null;
    }

    /// <summary>What the desk refuses is told to the person who asked.</summary>
    private static T Try<T>(Func<T> act)
    {
        try
        {
            return act();
        }
        catch (InvalidOperationException refused)
        {
            throw new ApiException(StatusCodes.Status409Conflict, refused.Message, code: "too_many");
        }
    }

    private (DeviceId Device, string Name) Find(string text, ClusterView view)
    {
        var known = view.Devices.Select(device => (device.Device, device.Name))
            .Concat(_identity!.Revocations.Current.Evicted.Select(decision => (decision.Device, decision.Name)))
            .Concat(_desk!.Invites.Where(invite => invite.Device is not null).Select(invite => (invite.Device!.Value, invite.Name ?? "")));
        return EvictionTargets.Meant(text, known) switch
        {
            [var only] => only,
            [] => throw new ApiException(StatusCodes.Status404NotFound, $"There is no device {text}: efedllm cluster shards shows them. A whole id also does for one that is not here.", param: "device", code: "device_not_found"),
            _ => throw ApiException.Invalid("device", $"Several devices are meant by {text}: name one by more digits of its id."),
        };
    }

    private ImmutableArray<string> Seeds()
    {
        var view = _view.Latest;
        var anchors = view.Members.Where(member => member.Roles.Contains(ClusterNames.Anchor)).Select(member => member.Address).Append(view.Self).Distinct();
        return [.. anchors.Take(InviteToken.MaxAddresses).Select(Text)];
    }

    private static string Text(Address address) => new HostPort(address.Host!.Trim('[', ']'), address.Port!.Value).ToString();

    private static InviteFacts Facts(Invite invite) => new(
        invite.Id, invite.Name, InviteRules.Describe(invite, TimeProvider.System.GetUtcNow()), invite.Created, invite.Expires, invite.Device?.Value, invite.Changed, invite.Owner);
}
