namespace EFedLLM.Node.Api;

/// <summary>Who may be a member: what a gateway with the authority's key does for the cluster's operator.</summary>
internal interface IMembershipApi
{
    /// <summary>Why this node can neither invite nor evict, with what to do; null where it can.</summary>
    string? WhyNot { get; }

    /// <summary>Whether whoever shows this token is an operator.</summary>
    bool MayOperate(string? token);

    /// <summary>Makes an invite.</summary>
    InviteResult Invite(InviteRequest request);

    /// <summary>The invites, the oldest first.</summary>
    IReadOnlyList<InviteFacts> Invites();

    /// <summary>Takes back the invite with an id or the beginning of one; null where there is none, or several begin so.</summary>
    InviteFacts? RevokeInvite(string id);

    /// <summary>Keeps a device out from now on.</summary>
    Task<EvictResult> EvictAsync(EvictRequest request, CancellationToken cancellation);

    /// <summary>Lets a device in again.</summary>
    Task<EvictResult> ReadmitAsync(EvictRequest request, CancellationToken cancellation);

    /// <summary>The devices that are kept out.</summary>
    IReadOnlyList<EvictedFacts> Evicted();
}
