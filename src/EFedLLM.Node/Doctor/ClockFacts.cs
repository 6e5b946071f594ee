using System.Diagnostics;
using System.Globalization;

namespace EFedLLM.Node.Doctor;

/// <summary>What was measured of this machine's clock beside a gateway's.</summary>
/// <param name="Gateway">The gateway.</param>
/// <param name="AheadSeconds">How far this clock is ahead, in seconds; null where the gateway did not say.</param>
/// <param name="DoubtSeconds">How far that may be wrong.</param>
/// <param name="Problem">Why there is no answer; null where there is one.</param>
internal sealed record ClockFacts(Uri Gateway, double? AheadSeconds, double DoubtSeconds, string? Problem)
{
    private const double Bearable = 5;
    private const double TooMuch = 60;

    // The header has no fractions.
    private const double HeaderDoubt = 1;

    /// <summary>Asks a gateway for its time: the <c>Date</c> of its answer (RFC 9110, section 6.6.1).</summary>
    /// <param name="gateway">The gateway.</param>
    /// <param name="time">This machine's clock.</param>
    /// <param name="cancellation">Gives up.</param>
    public static async Task<ClockFacts> MeasureAsync(Uri gateway, TimeProvider time, CancellationToken cancellation)
    {
        using var http = new HttpClient();
        try
        {
            var asked = Stopwatch.GetTimestamp();
            using var response = await http.GetAsync(new Uri(gateway, "health/live"), HttpCompletionOption.ResponseHeadersRead, cancellation);
            var trip = Stopwatch.GetElapsedTime(asked).TotalSeconds;
            return response.Headers.Date is { } date
                ? new ClockFacts(gateway, (time.GetUtcNow() - date).TotalSeconds - (trip / 2), HeaderDoubt + (trip / 2), null)
                : new ClockFacts(gateway, null, 0, "its answer has no date");
        }
        catch (Exception error) when (error is HttpRequestException or OperationCanceledException)
        {
            return new ClockFacts(gateway, null, 0, error is OperationCanceledException ? "it does not answer" : error.Message);
        }
    }

    /// <summary>What it comes to. Pure.</summary>
    public Finding Judge()
    {
        if (AheadSeconds is not { } ahead)
        {
            return Finding.Doubtful("clock", $"cannot be compared with {Gateway}: {Problem}", "Name a gateway that runs with --gateway.");
        }

        var apart = Math.Max(0, Math.Abs(ahead) - DoubtSeconds);
        var found = string.Create(CultureInfo.InvariantCulture, $"{Math.Abs(ahead):0.0} s {(ahead < 0 ? "behind" : "ahead of")} {Gateway}, give or take {DoubtSeconds:0.0} s");
        return apart switch
        {
            > TooMuch => Finding.Bad("clock", found, "Certificates and invitations may be taken for expired: set the clock, and let it follow a time server (timedatectl set-ntp true)."),
            > Bearable => Finding.Doubtful("clock", found, "Logs and the ledger's times will not fit together: let the clock follow a time server (timedatectl set-ntp true)."),
            _ => Finding.Good("clock", found),
        };
    }
}
