namespace EFedLLM.Actors.Trust;

/// <summary>What a hard failure cost.</summary>
/// <param name="Account">The account after it.</param>
/// <param name="Taken">What was taken: less than it should be where there was less.</param>
/// <param name="ToFinder">The part of it for whoever found it out; nobody gets the rest.</param>
public sealed record Slashing(Account Account, double Taken, double ToFinder);
