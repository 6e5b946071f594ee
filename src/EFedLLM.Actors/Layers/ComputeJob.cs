using EFedLLM.Transformer.Kernels;

namespace EFedLLM.Actors.Layers;

/// <summary>A rare job (loading's end, a measurement, giving memory back), for which a class of its own would be too much.</summary>
/// <param name="work">Does it; must not throw.</param>
internal sealed class ComputeJob(Action<ComputeTeam> work) : IComputeJob
{
    /// <inheritdoc/>
    public void Run(ComputeTeam team) => work(team);
}
