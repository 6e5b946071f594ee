using System.Security.Cryptography;
using System.Text;
using EFedLLM.Actors.Identity;
using EFedLLM.Actors.Protocol;

namespace EFedLLM.Actors.Tests.Identity;

public sealed class DeviceKeyTests : IDisposable
{
    private static readonly ClusterId Ours = ClusterId.Parse(new string('a', 64));

    private readonly string _folder = Directory.CreateTempSubdirectory("efedllm-key-").FullName;

    private string KeyFile => Path.Combine(_folder, "deep", "device.key");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void A_device_keeps_its_key_and_its_id_over_restarts()
    {
        using var first = DeviceKey.LoadOrCreate(KeyFile);
        using var second = DeviceKey.LoadOrCreate(KeyFile);
        Assert.Equal(first.Device, second.Device);
        Assert.Equal(first.PublicKey.ToArray(), second.PublicKey.ToArray());
        Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(first.PublicKey.Span))[..32], first.Device.Value);
        Assert.Single(Directory.GetFiles(Path.GetDirectoryName(KeyFile)!));
    }

    [Fact]
    public void Nobody_else_may_read_the_key()
    {
        using var key = DeviceKey.LoadOrCreate(KeyFile);
        if (!OperatingSystem.IsWindows())
        {
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(KeyFile));
        }
    }

    [Fact]
    public async Task Of_several_that_make_the_key_at_once_all_use_the_same()
    {
        using var start = new Barrier(8);
        var keys = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Factory.StartNew(
            () =>
            {
                start.SignalAndWait();
                using var key = DeviceKey.LoadOrCreate(KeyFile);
                return key.Device;
            },
            CancellationToken.None,
            TaskCreationOptions.LongRunning,
            TaskScheduler.Default)));
        Assert.Single(keys.Distinct());
        Assert.Single(Directory.GetFiles(Path.GetDirectoryName(KeyFile)!));
    }

    [Fact]
    public void A_signature_is_good_for_its_key_and_its_statement_alone()
    {
        using var key = DeviceKey.LoadOrCreate(KeyFile);
        using var other = DeviceKey.LoadOrCreate(KeyFile + "2");
        var statement = new Statement(StatementPurpose.Receipt, Ours, 3, "what was computed"u8);
        var signature = key.Sign(statement);
        Assert.Equal(DeviceKey.SignatureBytes, signature.Length);
        Assert.True(DeviceKey.Verify(key.PublicKey.Span, statement, signature));
        Assert.False(DeviceKey.Verify(other.PublicKey.Span, statement, signature));
        Assert.All<Statement>(
            [
                new(StatementPurpose.Receipt, Ours, 3, "what was not"u8),
                new(StatementPurpose.Receipt, Ours, 3, "what was computed."u8),
                new(StatementPurpose.Receipt, Ours, 4, "what was computed"u8),
                new(StatementPurpose.Receipt, ClusterId.WithoutTls("efedllm"), 3, "what was computed"u8),
                new(StatementPurpose.Opening, Ours, 3, "what was computed"u8),
            ],
            of => Assert.False(DeviceKey.Verify(key.PublicKey.Span, of, signature)));
        signature[3] ^= 1;
        Assert.False(DeviceKey.Verify(key.PublicKey.Span, statement, signature));
    }

    [Fact]
    public void Keys_and_signatures_of_a_wrong_length_verify_nothing()
    {
        using var key = DeviceKey.LoadOrCreate(KeyFile);
        var statement = new Statement(StatementPurpose.Receipt, Ours, 1, [1]);
        foreach (var length in new[] { 0, 1, 31, 33, 63, 65, 1000 })
        {
            Assert.False(DeviceKey.Verify(key.PublicKey.Span, statement, new byte[length]));
            if (length != DeviceKey.PublicKeyBytes)
            {
                Assert.False(DeviceKey.Verify(new byte[length], statement, new byte[64]));
                Assert.Throws<ArgumentException>(() => DeviceKey.IdOf(new byte[length]));
            }
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("nonsense")]
    [InlineData("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----")]
    public void A_damaged_key_is_reported_and_not_replaced(string content)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(KeyFile)!);
        File.WriteAllText(KeyFile, content);
        var error = Assert.Throws<InvalidDataException>(() => DeviceKey.LoadOrCreate(KeyFile));
        Assert.Contains(KeyFile, error.Message, StringComparison.Ordinal);
        Assert.Equal(content, File.ReadAllText(KeyFile));
    }

    [Fact]
    public void A_key_cut_off_or_too_long_is_reported()
    {
        DeviceKey.LoadOrCreate(KeyFile).Dispose();
        var whole = File.ReadAllBytes(KeyFile);
        foreach (var damaged in new[] { whole[..^30], [.. whole, .. new byte[8000]], Encoding.ASCII.GetBytes(new string('A', 1 << 20)) })
        {
            File.WriteAllBytes(KeyFile, damaged);
            Assert.Throws<InvalidDataException>(() => DeviceKey.LoadOrCreate(KeyFile));
        }
    }
}
