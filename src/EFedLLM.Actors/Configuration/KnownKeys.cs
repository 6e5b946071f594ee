using Akka.Configuration;
using Akka.Configuration.Hocon;

namespace EFedLLM.Actors.Configuration;

/// <summary>The keys that <c>node.conf</c> and <c>trust.conf</c> define: a key outside them is a mistake, and silence about it would be another.</summary>
/// <param name="references">The files, parsed.</param>
internal sealed class KnownKeys(IEnumerable<Config> references)
{
    private const string Root = "efedllm";

    private readonly HashSet<string> _leaves = [.. references.SelectMany(reference => Leaves(reference)).Select(leaf => leaf.Path)];

    /// <summary>The keys, as dotted paths.</summary>
    public IReadOnlyCollection<string> All => _leaves;

    /// <summary>Refuses keys below <c>efedllm</c> that mean nothing, and anything beside <c>akka</c> and <c>efedllm</c>.</summary>
    /// <param name="configuration">One source, without fallbacks.</param>
    /// <param name="source">Its name for people.</param>
    /// <exception cref="ConfigurationException">There is one; the message names it.</exception>
    public void Check(Config configuration, string source)
    {
        foreach (var (path, _) in Leaves(configuration))
        {
            if (path == "akka" || path.StartsWith("akka.", StringComparison.Ordinal) || _leaves.Contains(path))
            {
                continue;
            }

            throw new ConfigurationException(path.StartsWith($"{Root}.", StringComparison.Ordinal)
                ? $"{source} sets {path}, which is no setting. {Nearest(path)}"
                : $"{source} sets {path}; only settings below akka and efedllm are possible.");
        }
    }

    /// <summary>A hint at the key that was meant.</summary>
    public string Nearest(string path)
    {
        var section = path[..path.LastIndexOf('.')];
        var near = _leaves.Where(leaf => leaf[..leaf.LastIndexOf('.')] == section).Order(StringComparer.Ordinal).ToArray();
        return near.Length > 0
            ? $"Below {section} there are: {string.Join(", ", near.Select(leaf => leaf[(section.Length + 1)..]))}."
            : $"Known sections are: {string.Join(", ", _leaves.Select(leaf => leaf[..leaf.LastIndexOf('.')]).Distinct().Order(StringComparer.Ordinal))}.";
    }

    private static IEnumerable<(string Path, HoconValue Value)> Leaves(Config configuration)
        => configuration.IsEmpty ? [] : Leaves(configuration.Root, "");

    private static IEnumerable<(string Path, HoconValue Value)> Leaves(HoconValue value, string path)
        => value.IsObject()
            ? value.GetObject().Items.SelectMany(item => Leaves(item.Value, path.Length == 0 ? item.Key : $"{path}.{item.Key}"))
            : [(path, value)];
}
