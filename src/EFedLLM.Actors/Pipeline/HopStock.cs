namespace EFedLLM.Actors.Pipeline;

/// <summary>What a hop has of a session.</summary>
/// <param name="KvLength">Positions in its cache.</param>
/// <param name="KeptFrom">The first position of which it still has the output; the same as <paramref name="KvLength"/> when it has none.</param>
internal readonly record struct HopStock(int KvLength, int KeptFrom);
