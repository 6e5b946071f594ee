namespace EFedLLM.Node.Api;

/// <summary>Body of <c>POST /efedllm/v1/invites</c>.</summary>
/// <param name="Name">What the device is to be called, or null.</param>
/// <param name="Seconds">How long the invite may be used.</param>
/// <param name="Owner">Whose the device is to be, or null.</param>
internal sealed record InviteRequest(string? Name, double Seconds, string? Owner = null);

/// <summary>Answer of <c>POST /efedllm/v1/invites</c>: the one time that the token is shown.</summary>
/// <param name="Invite">The invite.</param>
/// <param name="Token">What the device is given.</param>
/// <param name="Command">What is typed there.</param>
/// <param name="Authority">The fingerprint of the cluster's authority.</param>
/// <param name="Addresses">Where the device enrols.</param>
/// <param name="Seeds">What it joins then.</param>
internal sealed record InviteResult(InviteFacts Invite, string Token, string Command, string Authority, IReadOnlyList<string> Addresses, IReadOnlyList<string> Seeds);

/// <summary>One invite; <c>GET /efedllm/v1/invites</c> lists them.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Name">What the device is to be called, or null.</param>
/// <param name="State">open, used, revoked or expired.</param>
/// <param name="Created">When it was made.</param>
/// <param name="Expires">When it ends.</param>
/// <param name="Device">Who used it, or null.</param>
/// <param name="Changed">When it was used or revoked, or null.</param>
/// <param name="Owner">Whose the device is to be, or null.</param>
internal sealed record InviteFacts(
    string Id, string? Name, string State, DateTimeOffset Created, DateTimeOffset Expires, string? Device, DateTimeOffset? Changed, string? Owner = null);

/// <summary>Body of <c>POST /efedllm/v1/cluster/evict</c> and <c>…/readmit</c>.</summary>
/// <param name="Device">The device: its id, the beginning of it, or its name.</param>
/// <param name="Key">SHA-256 of the public key of a certificate that does not name the device, or null.</param>
internal sealed record EvictRequest(string Device, string? Key = null);

/// <summary>Answer of both.</summary>
/// <param name="Device">The device's id.</param>
/// <param name="Name">Its name, or empty where it is not known.</param>
/// <param name="Evicted">Whether it is kept out now.</param>
/// <param name="Changed">Whether it was otherwise before.</param>
/// <param name="Everywhere">Whether every member confirmed it; the others learn of it by gossip.</param>
/// <param name="Nodes">Addresses of its nodes that were taken out.</param>
/// <param name="Warning">What is left to do, or null.</param>
internal sealed record EvictResult(string Device, string Name, bool Evicted, bool Changed, bool Everywhere, IReadOnlyList<string> Nodes, string? Warning = null);

/// <summary>A device that is kept out; <c>GET /efedllm/v1/cluster/evicted</c> lists them.</summary>
/// <param name="Device">Its id.</param>
/// <param name="Name">Its name, or empty.</param>
/// <param name="At">Since when.</param>
/// <param name="Version">The version of the decision.</param>
/// <param name="Keys">SHA-256 of the public keys of further certificates that are refused.</param>
internal sealed record EvictedFacts(string Device, string Name, DateTimeOffset At, long Version, IReadOnlyList<string> Keys);
