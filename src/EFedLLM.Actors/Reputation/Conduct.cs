using EFedLLM.Actors.Trust;

namespace EFedLLM.Actors.Reputation;

/// <summary>What follows from a device's checks and earnings. Immutable; <see cref="ConductRules"/> folds it.</summary>
/// <param name="Server">What checks have shown of it as a server.</param>
/// <param name="Verifier">What checks have shown of it as a verifier.</param>
/// <param name="Account">What it has earned.</param>
internal sealed record Conduct(RoleStanding Server, RoleStanding Verifier, Account Account)
{
    /// <summary>Nothing checked, nothing earned.</summary>
    public static Conduct New { get; } = new(RoleStanding.New, RoleStanding.New, Account.Empty);

    /// <summary>Whether nothing speaks against it in either role.</summary>
    public bool IsTrusted => Server is { Score: 0, ExcludedAt: null } && Verifier is { Score: 0, ExcludedAt: null };

    /// <summary>The standing in a role.</summary>
    public RoleStanding Of(TrustRole role) => role == TrustRole.Server ? Server : Verifier;

    /// <summary>The same with another standing in a role.</summary>
    public Conduct With(TrustRole role, RoleStanding standing) => role == TrustRole.Server ? this with { Server = standing } : this with { Verifier = standing };
}
