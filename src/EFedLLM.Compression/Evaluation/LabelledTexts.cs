using System.Globalization;
using System.Text;

namespace EFedLLM.Compression.Evaluation;

/// <summary>
/// Reads labelled texts as GLUE distributes them (SST-2's <c>train.tsv</c> and <c>dev.tsv</c>): tab-separated values in UTF-8, first the
/// heading <c>sentence	label</c>, then a line for each text.
/// </summary>
public static class LabelledTexts
{
    private const string Heading = "sentence\tlabel";
    private const int MostLines = 1_000_000;
    private const int MostLabels = 1000;

    /// <summary>Most bytes of a file.</summary>
    public const long MostBytes = 64L << 20;

    /// <summary>Reads a file.</summary>
    /// <exception cref="FileNotFoundException">It is not there.</exception>
    /// <exception cref="InvalidDataException">It is too long, or a line is malformed; the message names the line.</exception>
    public static IReadOnlyList<LabelledText> Read(string file)
    {
        ArgumentException.ThrowIfNullOrEmpty(file);
        if (!File.Exists(file))
        {
            throw new FileNotFoundException($"There is no file {file}.", file);
        }

        using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.Read);
        if (stream.Length > MostBytes)
        {
            throw new InvalidDataException($"{file} has {stream.Length} bytes, more than the {MostBytes} of labelled texts that are read. Take a part of it.");
        }

        using var reader = new StreamReader(stream, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true));
        try
        {
            return Read(reader, file);
        }
        catch (DecoderFallbackException error)
        {
            throw new InvalidDataException($"{file} is not UTF-8.", error);
        }
    }

    /// <summary>Reads lines; empty ones are left out.</summary>
    /// <param name="reader">Where they come from.</param>
    /// <param name="name">What messages call it.</param>
    /// <exception cref="InvalidDataException">A line is malformed.</exception>
    internal static List<LabelledText> Read(TextReader reader, string name)
    {
        if (reader.ReadLine()?.TrimEnd('\r') is not Heading)
        {
            throw new InvalidDataException($"{name} does not begin with the heading \"sentence<tab>label\": SST-2's dev.tsv of GLUE does.");
        }

        var texts = new List<LabelledText>();
        for (var number = 2; reader.ReadLine() is { } line; number++)
        {
            if (number > MostLines)
            {
                throw new InvalidDataException($"{name} has more than {MostLines} lines. Take a part of it.");
            }

            if (line.Trim().Length > 0)
            {
                texts.Add(Parse(line, name, number));
            }
        }

        return texts.Count > 0 ? texts : throw new InvalidDataException($"{name} has no text below its heading.");
    }

    private static LabelledText Parse(string line, string name, int number)
    {
        var fields = line.Split('\t');
        if (fields.Length != 2)
        {
            throw new InvalidDataException($"Line {number} of {name} has {fields.Length} fields instead of two, a sentence and a label.");
        }

        if (fields[0].Trim().Length == 0)
        {
            throw new InvalidDataException($"Line {number} of {name} has no sentence.");
        }

        return int.TryParse(fields[1], NumberStyles.None, CultureInfo.InvariantCulture, out var label) && label < MostLabels
            ? new LabelledText(fields[0], label)
            : throw new InvalidDataException($"Line {number} of {name} has the label \"{fields[1]}\" instead of a whole number from 0.");
    }
}
