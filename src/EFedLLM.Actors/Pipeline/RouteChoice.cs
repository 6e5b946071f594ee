using EFedLLM.Actors.Protocol;

namespace EFedLLM.Actors.Pipeline;

/// <summary>What <see cref="RoutePlanner"/> finds: a route, or why there is none.</summary>
/// <param name="Route">The route, or null.</param>
/// <param name="Problem">Why there is none, for people; null when there is one.</param>
public sealed record RouteChoice(Route? Route, string? Problem);
