using EFedLLM.Actors.Identity;
using EFedLLM.Node.CommandLine;

namespace EFedLLM.Node.Tests.CommandLine;

public class CertCommandTests
{
    [Fact]
    public async Task An_authority_and_a_nodes_certificate_are_made_and_fit_together()
    {
        var root = Directory.CreateTempSubdirectory("efedllm-cert-").FullName;
        try
        {
            var (ca, node) = (Path.Combine(root, "ca"), Path.Combine(root, "node"));
            Assert.Equal(ExitCodes.Ok, await EfedllmCommand.RunAsync(["cert", "ca", ca]));
            Assert.Equal(ExitCodes.Ok, await EfedllmCommand.RunAsync(["cert", "issue", node, "--ca", ca, "--host", "127.0.0.1", "--host", "node.example", "--json"]));
            using var certificate = NodeCertificate.Load(node);
            using var authority = CertificateAuthority.Load(ca);
            Assert.Equal(authority.Fingerprint, certificate.AuthorityFingerprint);
            Assert.False(File.Exists(Path.Combine(node, CertificateAuthority.KeyFile)), "The authority's key must stay with the authority.");
            Assert.Equal(ExitCodes.Failed, await EfedllmCommand.RunAsync(["cert", "ca", ca]));
        }
        finally
        {
            Directory.Delete(root, recursive: true);
        }
    }

    [Theory]
    [InlineData("cert", "ca")]
    [InlineData("cert", "issue", "x", "--ca", "y")]
    [InlineData("cert", "issue", "x", "--ca", "y", "--host", "has a space")]
    [InlineData("cert", "ca", "x", "--days", "0")]
    public async Task A_command_line_without_sense_is_refused(params string[] arguments) =>
        Assert.Equal(ExitCodes.Usage, await EfedllmCommand.RunAsync(arguments));
}
