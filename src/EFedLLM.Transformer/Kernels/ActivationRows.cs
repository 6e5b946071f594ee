namespace EFedLLM.Transformer.Kernels;

/// <summary>Rows of quantised activations, somewhere in memory.</summary>
/// <param name="Values">[rows, groups * group] int16.</param>
/// <param name="Scales">[rows, groups] float32.</param>
/// <param name="Sums">[rows, groups] int32: the sum of a group's values.</param>
/// <param name="Groups">Groups in a row.</param>
/// <param name="Group">Values that share a scale.</param>
internal readonly unsafe record struct ActivationRows(nint Values, nint Scales, nint Sums, int Groups, int Group)
{
    /// <summary>The first value of a row.</summary>
    public short* ValuesOf(int row) => (short*)Values + (long)row * Groups * Group;

    /// <summary>The first scale of a row.</summary>
    public float* ScalesOf(int row) => (float*)Scales + (long)row * Groups;

    /// <summary>The first sum of a row.</summary>
    public int* SumsOf(int row) => (int*)Sums + (long)row * Groups;
}
