using System.Globalization;
using EFedLLM.Actors.Placement;
using EFedLLM.Node.Api;

namespace EFedLLM.Node.Http;

/// <summary>
/// A <see cref="PlanQuestion"/> in an address: <c>?without=3f9c&amp;with=4000000000,20000000000</c>. Each name may be repeated; <c>with</c> is bytes of
/// memory, and after a comma bytes of weights read a second where they are known. Both sides use it.
/// </summary>
internal static class PlanQuery
{
    private const int MostNameCharacters = 256;
    private const long MostMemory = 1L << 50;

    /// <summary>The part of an address that asks the question; empty for the plain one.</summary>
    public static string Write(PlanQuestion question)
    {
        var parts = question.Without.Select(name => $"without={Uri.EscapeDataString(name)}")
            .Concat(question.With.Select(device => string.Create(CultureInfo.InvariantCulture, $"with={device.MemoryBytes},{device.BytesPerSecond:R}")))
            .ToList();
        return parts.Count == 0 ? "" : $"?{string.Join('&', parts)}";
    }

    /// <summary>The question.</summary>
    /// <exception cref="ApiException">It makes no sense, or is too long.</exception>
    public static PlanQuestion Read(IQueryCollection query)
    {
        if (query.Keys.FirstOrDefault(key => key is not ("without" or "with")) is { } unknown)
        {
            throw ApiException.Unsupported(unknown, $"A plan is asked for by \"without\" and \"with\"; \"{unknown}\" is neither.");
        }

        var (without, with) = (query["without"], query["with"]);
        if (without.Count > PlanQuestion.Most || with.Count > PlanQuestion.Most)
        {
            throw ApiException.Invalid(with.Count > PlanQuestion.Most ? "with" : "without", $"At most {PlanQuestion.Most} devices can be left out, and as many added.");
        }

        return new PlanQuestion([.. without.Select(Name)], [.. with.Select(Device)]);
    }

    private static string Name(string? name) => name is { Length: > 0 and <= MostNameCharacters }
        ? name
        : throw ApiException.Invalid("without", $"\"without\" must be a device's id, the beginning of one, or its name, of up to {MostNameCharacters} characters.");

    private static AddedDevice Device(string? text)
    {
        var parts = (text ?? "").Split(',');
        var speed = 0.0;
        return parts.Length <= 2
            && long.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out var memory) && memory is > 0 and <= MostMemory
            && (parts.Length == 1 || (double.TryParse(parts[1], NumberStyles.Float, CultureInfo.InvariantCulture, out speed) && double.IsFinite(speed) && speed >= 0))
            ? new AddedDevice(memory, speed)
            : throw ApiException.Invalid("with", "\"with\" must be bytes of memory, and after a comma bytes of weights read a second, for example 4000000000,20000000000.");
    }
}
