namespace EFedLLM.Actors.Layers;

/// <summary>How activations travel.</summary>
internal static class Activations
{
    /// <summary>How many rows of <paramref name="width"/> values travel in one message of at most <paramref name="bytes"/>: at least one.</summary>
    public static int RowsPerMessage(int width, int bytes) => Math.Max(1, bytes / (width * sizeof(float)));
}
