namespace EFedLLM.Actors.Placement;

/// <summary>What <see cref="NestedPlacement"/> is to reach.</summary>
/// <param name="Holders">Devices that each unit should be held by.</param>
/// <param name="Stages">About how many hops a route should have where memory allows: a device gets no more than its stage, however much memory it has.</param>
/// <param name="MostSeconds">A device is given no more than it computes in so long, each token.</param>
internal sealed record NestedGoal(int Holders, int Stages, double MostSeconds)
{
    // Halves of a model are never equal to the byte.
    private const double Lumpiness = 1.5;

    /// <summary>Most bytes of one stage.</summary>
    public double StageBytes(UnitCosts costs) => costs.TotalBytes * Lumpiness / Stages;
}
