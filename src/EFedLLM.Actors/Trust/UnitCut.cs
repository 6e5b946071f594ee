namespace EFedLLM.Actors.Trust;

/// <summary>How the positions of a session are cut into units: none reaches across a multiple of <see cref="Rows"/>, so that everybody cuts alike.</summary>
public static class UnitCut
{
    /// <summary>Most positions of a unit. The first and the last of an epoch may have fewer.</summary>
    public const int Rows = 16;

    /// <summary>One past the last position that a unit with <paramref name="position"/> can have.</summary>
    public static int EndOf(int position) => (position / Rows * Rows) + Rows;
}
