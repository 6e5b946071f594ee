using EFedLLM.Actors.Protocol;

namespace EFedLLM.Actors.Auditing;

/// <summary>A hop that is not to be believed.</summary>
/// <param name="Hop">The hop.</param>
/// <param name="Position">From there on.</param>
/// <param name="Reason">Why, for people.</param>
/// <param name="Other">Another one of which nobody can say whether it is it; or null.</param>
internal sealed record Conviction(Hop Hop, int Position, string Reason, Hop? Other);
