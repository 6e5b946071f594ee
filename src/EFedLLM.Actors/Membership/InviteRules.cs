using System.Security.Cryptography;
using EFedLLM.Actors.Protocol;

namespace EFedLLM.Actors.Membership;

/// <summary>Whether an invite admits a device: pure functions of what is known.</summary>
public static class InviteRules
{
    /// <summary>The shortest life of an invite.</summary>
    public static readonly TimeSpan ShortestLife = TimeSpan.FromMinutes(1);

    /// <summary>The longest life of an invite.</summary>
    public static readonly TimeSpan LongestLife = TimeSpan.FromDays(30);

    /// <summary>How far apart two clocks may be. Certificates begin an hour before they are made, so more would make them invalid on one side.</summary>
    public static readonly TimeSpan MostSkew = TimeSpan.FromMinutes(30);

    // Compared with where there is no invite, so that this takes as long as a wrong secret.
    private static readonly string NoHash = new('0', SHA256.HashSizeInBytes * 2);

    /// <summary>What an invite becomes when a device uses it.</summary>
    /// <param name="invite">The invite of the id that the device named, or null where there is none.</param>
    /// <param name="secret">The secret that the device showed.</param>
    /// <param name="device">The device; that it has its key is proven.</param>
    /// <param name="deviceTime">The device's clock.</param>
    /// <param name="now">The clock.</param>
    /// <returns>The used invite; the same one where this device has used it before: it may ask again until the invite expires, so that a crash in between does no harm.</returns>
    /// <exception cref="EnrolmentException">The invite does not admit the device.</exception>
    public static Invite Use(Invite? invite, ReadOnlySpan<byte> secret, DeviceId device, DateTimeOffset deviceTime, DateTimeOffset now)
    {
        if (!Matches(invite?.SecretHash ?? NoHash, secret) || invite is null)
        {
            throw new EnrolmentException(EnrolmentRefusal.Unknown, "This cluster knows no such invite: it may have been made by another node, or forgotten since. Ask for another.");
        }

        // Only whoever has the secret learns what has become of the invite.
        return invite switch
        {
            { State: InviteState.Revoked } => throw new EnrolmentException(EnrolmentRefusal.Revoked, "The invite was taken back. Ask for another."),
            { State: InviteState.Used, Device: var user } when user != device => throw new EnrolmentException(
                EnrolmentRefusal.Used, $"The invite has been used by another device ({user?.Short}). Each is for one device: ask for another."),
            _ when (deviceTime - now).Duration() > MostSkew => throw new EnrolmentException(
                EnrolmentRefusal.ClockSkew, $"The clock of this machine says {deviceTime.UtcDateTime:yyyy-MM-dd HH:mm} UTC, the cluster's {now.UtcDateTime:yyyy-MM-dd HH:mm}: certificates cannot work so. Set the clock and try again."),
            _ when now >= invite.Expires => throw new EnrolmentException(
                EnrolmentRefusal.Expired, $"The invite expired at {invite.Expires.UtcDateTime:yyyy-MM-dd HH:mm} UTC. Ask for another."),
            { State: InviteState.Used } => invite,
            _ => invite with { State = InviteState.Used, Device = device, Changed = now },
        };
    }

    /// <summary>What a list of invites shows: their state, where an open one may have expired.</summary>
    public static string Describe(Invite invite, DateTimeOffset now)
    {
        ArgumentNullException.ThrowIfNull(invite);
        return invite.State switch
        {
            InviteState.Used => "used",
            InviteState.Revoked => "revoked",
            _ => now >= invite.Expires ? "expired" : "open",
        };
    }

    private static bool Matches(string hash, ReadOnlySpan<byte> secret)
    {
        Span<byte> shown = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(secret, shown);
        return CryptographicOperations.FixedTimeEquals(shown, Convert.FromHexString(hash));
    }
}
