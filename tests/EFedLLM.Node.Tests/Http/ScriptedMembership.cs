using EFedLLM.Node.Api;

namespace EFedLLM.Node.Tests.Http;

/// <summary>Says who asked for what; its operator shows <see cref="Token"/>.</summary>
internal sealed class ScriptedMembership : IMembershipApi
{
    public const string Token = "a token";

    private static readonly InviteFacts Facts = new("0123456789abcdef", "a", "open", DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch, null, null);

    public List<string> Asked { get; } = [];

    public string? WhyNot { get; init; }

    public bool MayOperate(string? token) => token == Token;

    public InviteResult Invite(InviteRequest request)
    {
        Asked.Add("invite");
        return new InviteResult(Facts, "token", "efedllm join token", "", [], []);
    }

    public IReadOnlyList<InviteFacts> Invites()
    {
        Asked.Add("list");
        return [Facts];
    }

    public InviteFacts? RevokeInvite(string id)
    {
        Asked.Add("revoke");
        return Facts.Id.StartsWith(id, StringComparison.Ordinal) ? Facts : null;
    }

    public Task<EvictResult> EvictAsync(EvictRequest request, CancellationToken cancellation)
    {
        Asked.Add("evict");
        return Task.FromResult(new EvictResult("", "", true, true, true, []));
    }

    public Task<EvictResult> ReadmitAsync(EvictRequest request, CancellationToken cancellation)
    {
        Asked.Add("readmit");
        return Task.FromResult(new EvictResult("", "", false, true, true, []));
    }

    public IReadOnlyList<EvictedFacts> Evicted() => [];
}
