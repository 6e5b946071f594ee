using EFedLLM.Actors.Identity;
using EFedLLM.Node.Client;

namespace EFedLLM.Node.Hosting;

/// <summary>The devices whose keys lie in this user's data folders: those that <c>join</c> started without naming a folder.</summary>
internal static class LocalDevices
{
    /// <summary>Their ids.</summary>
    public static IReadOnlySet<string> Ids() => Ids(UserFolder.Root);

    /// <summary>The ids of the devices below a folder.</summary>
    /// <param name="root">The user's folder.</param>
    internal static IReadOnlySet<string> Ids(string root)
    {
        var ids = new HashSet<string>(StringComparer.Ordinal);
        if (!Directory.Exists(root))
        {
            return ids;
        }

        foreach (var folder in Directory.EnumerateDirectories(root, "device-*"))
        {
            var file = Path.Combine(folder, "node", NodeFiles.Key);
            try
            {
                if (File.Exists(file))
                {
                    using var key = DeviceKey.LoadOrCreate(file);
                    ids.Add(key.Device.Value);
                }
            }
            catch (Exception error) when (error is InvalidDataException or IOException or UnauthorizedAccessException)
            {
                // A key that cannot be read is no device that could run.
            }
        }

        return ids;
    }
}
