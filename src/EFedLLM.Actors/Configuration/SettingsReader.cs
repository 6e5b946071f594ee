using Akka.Configuration;

namespace EFedLLM.Actors.Configuration;

/// <summary>Typed values of one section. Each throws a <see cref="ConfigurationException"/> that names the key when the value is no such thing or out of range.</summary>
/// <param name="configuration">The whole configuration.</param>
/// <param name="section">The path of the section.</param>
internal sealed class SettingsReader(Config configuration, string section)
{
    /// <summary>A whole number.</summary>
    public int Integer(string key, int least, int most)
        => Value(key, path => configuration.GetInt(path, 0), value => value >= least && value <= most, $"a whole number from {least} to {most}");

    /// <summary>A number of bytes, such as <c>512 MiB</c>.</summary>
    public long Bytes(string key, long least, long most)
        => Value(key, path => configuration.GetByteSize(path) ?? -1, value => value >= least && value <= most, $"a size from {least} to {most} bytes, for example 512 MiB");

    /// <summary>A time, such as <c>200 ms</c>.</summary>
    public TimeSpan Duration(string key, TimeSpan least, TimeSpan most)
        => Value(key, path => configuration.GetTimeSpan(path, null, false), value => value >= least && value <= most, $"a time from {least} to {most}, for example 200 ms or 5 s");

    /// <summary>A part of a whole.</summary>
    public double Share(string key)
        => Value(key, path => configuration.GetDouble(path, -1), value => value is >= 0 and <= 1, "a number from 0 to 1");

    /// <summary>A number.</summary>
    public double Number(string key, double least, double most)
        => Value(key, path => configuration.GetDouble(path, double.NaN), value => value >= least && value <= most, $"a number from {least} to {most}");

    /// <summary>A text that may be nothing.</summary>
    /// <param name="key">The key.</param>
    /// <param name="problem">What is wrong with a text that is something, or null.</param>
    /// <param name="expected">What is expected, for people.</param>
    public string? Text(string key, Func<string, string?> problem, string expected)
        => Value(key, path => configuration.GetString(path), value => value is not null && (value.Length == 0 || problem(value) is null), expected) is { Length: > 0 } text ? text : null;

    /// <summary>Something that is on or off.</summary>
    public bool Switch(string key)
        => Value(key, path => configuration.GetString(path) switch { "on" or "true" => true, "off" or "false" => false, _ => (bool?)null }, value => value is not null, "on or off")!.Value;

    /// <summary>One of several words.</summary>
    public T Choice<T>(string key, params ReadOnlySpan<(string Word, T Value)> choices)
        where T : struct
    {
        var words = choices.ToArray();
        return Value(
            key,
            path => configuration.GetString(path) is var word && Array.FindIndex(words, choice => choice.Word == word) is >= 0 and var at ? words[at].Value : (T?)null,
            value => value is not null,
            string.Join(" or ", words.Select(choice => choice.Word)))!.Value;
    }

    private T Value<T>(string key, Func<string, T> read, Func<T, bool> possible, string expected)
    {
        var path = $"{section}.{key}";
        if (!configuration.HasPath(path))
        {
            throw new ConfigurationException($"{path} is missing: {expected} is expected.");
        }

        T value;
        try
        {
            value = read(path);
        }
        catch (Exception e) when (e is FormatException or OverflowException or ArgumentException or InvalidOperationException)
        {
            throw new ConfigurationException($"{path} is '{configuration.GetString(path)}': {expected} is expected.", e);
        }

        return possible(value) ? value : throw new ConfigurationException($"{path} is '{configuration.GetString(path)}': {expected} is expected.");
    }
}
