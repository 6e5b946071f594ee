using EFedLLM.Actors.Trust;

namespace EFedLLM.Actors.Reputation;

/// <summary>Checks that passed, counted together.</summary>
/// <param name="Role">What the device was judged as.</param>
/// <param name="Step">What each added to the statistic.</param>
/// <param name="Checks">How many.</param>
/// <param name="Tokens">Positions that were checked.</param>
internal readonly record struct PassedRun(TrustRole Role, double Step, long Checks, long Tokens);
