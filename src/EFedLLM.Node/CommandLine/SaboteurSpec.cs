using System.Globalization;
using EFedLLM.Actors.Trust;

namespace EFedLLM.Node.CommandLine;

/// <summary>Reads which devices do wrong on purpose, and how.</summary>
internal static class SaboteurSpec
{
    /// <summary>What the option that names one takes.</summary>
    public const string Help = "behaviour[=number][:rate]";

    /// <summary>Checks <c>behaviour[=number][:rate]</c>, and returns it.</summary>
    /// <exception cref="UserErrorException">There is no such behaviour; the message lists those there are.</exception>
    public static string Check(string text)
    {
        try
        {
            Saboteur.Parse(text);
            return text;
        }
        catch (FormatException e)
        {
            throw new UserErrorException(e.Message, ExitCodes.Usage, e);
        }
    }

    /// <summary>Reads <c>device=behaviour[=number][:rate]</c>, each device at most once.</summary>
    /// <param name="texts">As they were given.</param>
    /// <param name="devices">How many devices there are, numbered from 1.</param>
    /// <exception cref="UserErrorException">One makes no sense.</exception>
    public static IReadOnlyDictionary<int, string> ByDevice(IEnumerable<string> texts, int devices)
    {
        var saboteurs = new Dictionary<int, string>();
        foreach (var text in texts)
        {
            var parts = text.Split('=', 2);
            if (parts.Length < 2 || !int.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out var device) || device < 1 || device > devices)
            {
                throw new UserErrorException($"--saboteur names one of the devices 1 to {devices} and what it does, for example 2=sign-flip; it is \"{text}\".", ExitCodes.Usage);
            }

            if (!saboteurs.TryAdd(device, Check(parts[1])))
            {
                throw new UserErrorException($"--saboteur names device {device} twice.", ExitCodes.Usage);
            }
        }

        return saboteurs;
    }
}
