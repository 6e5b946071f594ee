using EFedLLM.Transformer.Kernels;

namespace EFedLLM.Transformer.Linear;

/// <summary>Layers that multiply the same rows, one after the other or as one loop of the threads; the bits are the same.</summary>
internal static unsafe class LinearLayers
{
    /// <summary>Computes y = W·x + bias of each layer.</summary>
    /// <param name="input">x, [rows, inputs].</param>
    /// <param name="team">The threads that share the work.</param>
    /// <param name="first">A layer.</param>
    /// <param name="firstY">[rows, its outputs] or more, of which so many are overwritten.</param>
    /// <param name="second">Another one.</param>
    /// <param name="secondY">The same for it.</param>
    /// <param name="third">A third one, or null.</param>
    /// <param name="thirdY">The same for it.</param>
    /// <exception cref="ArgumentException">A length does not fit the number of rows.</exception>
    public static void Apply(
        LinearInput input, ComputeTeam team, LinearLayer first, Span<float> firstY, LinearLayer second, Span<float> secondY, LinearLayer? third = null, Span<float> thirdY = default)
    {
        firstY = firstY[..(input.Rows * first.Outputs)];
        secondY = secondY[..(input.Rows * second.Outputs)];
        thirdY = thirdY[..(input.Rows * (third?.Outputs ?? 0))];
        if (team.Threads > 1 && first is FactoredLinear { HasBase: true } a && second is FactoredLinear { HasBase: true } b && third is null or FactoredLinear { HasBase: true })
        {
            Join(input, team, a, firstY, b, secondY, third as FactoredLinear, thirdY);
            return;
        }

        first.Apply(input, firstY, team);
        second.Apply(input, secondY, team);
        third?.Apply(input, thirdY, team);
    }

    private static void Join(
        LinearInput input, ComputeTeam team, FactoredLinear first, Span<float> firstY, FactoredLinear second, Span<float> secondY, FactoredLinear? third, Span<float> thirdY)
    {
        var (firstHeld, secondHeld, thirdHeld) = (false, false, false);
        var workspace = input.Workspace;
        var earlier = workspace.LowRankUsed;
        fixed (float* x = input.X)
        fixed (float* y1 = firstY, y2 = secondY, y3 = thirdY)
        {
            try
            {
                first.Hold(ref firstHeld);
                second.Hold(ref secondHeld);
                third?.Hold(ref thirdHeld);
                first.Begin(input, firstY, x, y1, workspace.Joint.Next(), earlier, team);
                second.Begin(input, secondY, x, y2, workspace.Joint.Next(), earlier, team);
                third?.Begin(input, thirdY, x, y3, workspace.Joint.Next(), earlier, team);
                workspace.Joint.Compute(team);
            }
            finally
            {
                workspace.Joint.Forget();
                first.Release(firstHeld);
                second.Release(secondHeld);
                third?.Release(thirdHeld);
            }
        }

        // The quantised rows are read by their addresses.
        GC.KeepAlive(workspace);
    }
}
