using System.Collections;
using System.Text;
using Akka.Configuration;

namespace EFedLLM.Actors.Configuration;

/// <summary>Settings from the environment: <c>EFEDLLM__GATEWAY__MAX_SESSIONS</c> is <c>efedllm.gateway.max-sessions</c>.</summary>
internal static class EnvironmentOverrides
{
    private const string Prefix = "EFEDLLM__";

    /// <summary>The settings among <paramref name="environment"/>.</summary>
    /// <param name="environment">All variables.</param>
    /// <param name="known">The keys there are.</param>
    /// <exception cref="ConfigurationException">A variable with the prefix names no setting; the message names it.</exception>
    public static Config Read(IDictionary environment, KnownKeys known)
    {
        var hocon = new StringBuilder();
        foreach (var (name, value) in environment.Cast<DictionaryEntry>().Select(entry => ((string)entry.Key, (string?)entry.Value)))
        {
            if (!name.StartsWith(Prefix, StringComparison.OrdinalIgnoreCase))
            {
                continue;
            }

            var path = "efedllm." + name[Prefix.Length..].Replace("__", ".", StringComparison.Ordinal).Replace('_', '-').ToLowerInvariant();
            if (!known.All.Contains(path))
            {
                throw new ConfigurationException($"The environment variable {name} sets {path}, which is no setting. {known.Nearest(path)}");
            }

            hocon.Append(path).Append(" = ").AppendLine(Hocon.Quote(value ?? ""));
        }

        return ConfigurationFactory.ParseString(hocon.ToString());
    }
}
