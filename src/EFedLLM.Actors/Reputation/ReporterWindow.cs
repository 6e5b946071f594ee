namespace EFedLLM.Actors.Reputation;

/// <summary>
/// Which numbers of one reporter are counted: a sliding window, as receivers of IPsec packets keep it against replays (RFC 4303, section
/// 3.4.3). A number more than <see cref="Width"/> behind the highest counts as counted, so a reporter has fewer than that under way.
/// </summary>
/// <param name="Highest">The highest number that is counted.</param>
/// <param name="Seen">Bit k: whether number <c>Highest - k</c> is counted.</param>
/// <param name="LastEntry">The device's entry that came from this reporter last, counted from 1.</param>
internal readonly record struct ReporterWindow(long Highest, ulong Seen, long LastEntry)
{
    /// <summary>Numbers that may arrive out of order.</summary>
    public const int Width = 64;

    /// <summary>Whether <paramref name="sequence"/> is counted.</summary>
    public bool Knows(long sequence)
        => sequence <= Highest && (Highest - sequence >= Width || ((Seen >> (int)(Highest - sequence)) & 1) != 0);

    /// <summary>The window after <paramref name="sequence"/>, which is new, is counted as the device's entry <paramref name="entry"/>.</summary>
    public ReporterWindow With(long sequence, long entry)
        => sequence <= Highest
            ? this with { Seen = Seen | (1UL << (int)(Highest - sequence)), LastEntry = entry }
            : new ReporterWindow(sequence, (sequence - Highest >= Width ? 0 : Seen << (int)(sequence - Highest)) | 1, entry);
}
