using EFedLLM.Actors.Trust;

namespace EFedLLM.Actors.Reputation;

/// <summary>By what an entry moved a device's account on the day it was counted: other settings later do not move it again.</summary>
/// <param name="TokenReward">The reward of one position of the work that the entry is about, at every factor 1.</param>
/// <param name="EscrowTokens">Positions whose reward fills the escrow.</param>
/// <param name="FirstSlash">Positions whose reward the first hard failure costs.</param>
/// <param name="SecondSlash">The same of the second.</param>
/// <param name="FinderShare">The part of what is taken that goes to whoever found it out.</param>
/// <param name="Vesting">How long what is earned can be lost.</param>
internal sealed record AccountTerms(double TokenReward, int EscrowTokens, int FirstSlash, int SecondSlash, double FinderShare, TimeSpan Vesting)
{
    /// <summary>Those of entries from before there was an escrow: what was earned lay a day, and nothing was taken.</summary>
    public static AccountTerms Old { get; } = new(0, 0, 0, 0, 0, TimeSpan.FromHours(24));

    /// <summary>Those under some settings.</summary>
    /// <param name="tokenReward">The reward of one position of the work, at every factor 1.</param>
    /// <param name="settings">The settings.</param>
    public static AccountTerms Of(double tokenReward, TrustSettings settings)
        => new(tokenReward, settings.EscrowTokens, settings.FirstSlash, settings.SecondSlash, settings.FinderShare, settings.Vesting);

    /// <summary>The settings that say the same.</summary>
    public TrustSettings ToSettings() => new()
    {
        EscrowTokens = EscrowTokens,
        FirstSlash = FirstSlash,
        SecondSlash = SecondSlash,
        FinderShare = FinderShare,
        Vesting = Vesting,
    };
}
