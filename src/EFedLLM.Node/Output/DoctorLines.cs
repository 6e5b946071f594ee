using EFedLLM.Node.Doctor;
using Spectre.Console;

namespace EFedLLM.Node.Output;

/// <summary>What the doctor found, a line a check.</summary>
internal static class DoctorLines
{
    /// <summary>Prints the findings, and what they come to.</summary>
    public static void Print(IReadOnlyList<Finding> findings)
    {
        var width = findings.Max(finding => finding.Check.Length);
        foreach (var finding in findings)
        {
            var (sign, colour) = Sign(finding.Verdict);
            Screen.Out.Write(new Text($"  {sign} ", new Style(colour)));
            Console.Out.WriteLine($"{finding.Check.PadRight(width)}  {finding.Found}");
            if (finding.Advice is { } advice)
            {
                Console.Out.WriteLine($"    {new string(' ', width)}  -> {advice}");
            }
        }

        var (bad, doubtful) = (findings.Count(finding => finding.Verdict == Verdict.Bad), findings.Count(finding => finding.Verdict == Verdict.Doubtful));
        Console.Out.WriteLine((bad, doubtful) switch
        {
            (0, 0) => "  Nothing is wrong with this machine.",
            (0, _) => $"  A node will work here; {Say.Count(doubtful, "thing")} could be better.",
            _ => $"  A node will not work here before {Say.Count(bad, "thing")} {(bad == 1 ? "is" : "are")} mended.",
        });
    }

    private static (string Sign, Color Colour) Sign(Verdict verdict) => verdict switch
    {
        Verdict.Good => ("✓", Color.Green),
        Verdict.Doubtful => ("!", Color.Yellow),
        _ => ("✗", Color.Red),
    };
}
