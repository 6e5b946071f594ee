using EFedLLM.Actors.Protocol;

namespace EFedLLM.Actors.Membership;

/// <summary>What has become of an invite.</summary>
public enum InviteState
{
    /// <summary>A device may use it.</summary>
    Open = 1,

    /// <summary>A device has used it.</summary>
    Used = 2,

    /// <summary>It was taken back.</summary>
    Revoked = 3,
}

/// <summary>An invite as the node keeps it that made it: enough to recognise its secret, not enough to use it.</summary>
/// <param name="Id">16 lower-case hexadecimal digits.</param>
/// <param name="Name">What the device is to be called; null leaves it to the device.</param>
/// <param name="SecretHash">The SHA-256 of its secret, lower-case hexadecimal. The secret is random, so a slow hash would gain nothing.</param>
/// <param name="Created">When it was made.</param>
/// <param name="Expires">When it ends.</param>
/// <param name="State">What has become of it.</param>
/// <param name="Device">Who used it, or null.</param>
/// <param name="Changed">When it was used or taken back, or null.</param>
/// <param name="Owner">Whose the device is to be; null where nobody says.</param>
public sealed record Invite(
    string Id,
    string? Name,
    string SecretHash,
    DateTimeOffset Created,
    DateTimeOffset Expires,
    InviteState State = InviteState.Open,
    DeviceId? Device = null,
    DateTimeOffset? Changed = null,
    string? Owner = null);
