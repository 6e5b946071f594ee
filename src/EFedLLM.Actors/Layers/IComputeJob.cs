using EFedLLM.Transformer.Kernels;

namespace EFedLLM.Actors.Layers;

/// <summary>Work for a device's compute thread.</summary>
internal interface IComputeJob
{
    /// <summary>Does it, on the compute thread. Reports its own end and its own failure: it never throws.</summary>
    /// <param name="team">The device's compute threads.</param>
    void Run(ComputeTeam team);
}
