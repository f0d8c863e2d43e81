# The probe of a Windows machine that was just made from an image. It changes nothing on the machine.
#
# It prints one line for each check, `id=pass|fail detail`, between two lines with the nonce of this test.
# docs/probe-checks.md says what each check proves.
$ErrorActionPreference = 'Continue'
$Nonce = '@NONCE@'
$script:Checks = 0

function Say($Id, $Passed, $Detail) {
    $script:Checks++
    $Text = ([string]$Detail) -replace '[^\x20-\x7e]', '?'
    if ($Text.Length -gt 100) { $Text = $Text.Substring(0, 100) }
    $Result = if ($Passed) { 'pass' } else { 'fail' }
    Write-Output ('{0}={1} {2}' -f $Id, $Result, $Text)
}

# It can be compared with that of another machine, and tells nothing of the value.
function Get-Digest($Value) {
    if (-not $Value) { return 'none' }
    $Hash = [Security.Cryptography.SHA256]::Create().ComputeHash([Text.Encoding]::UTF8.GetBytes([string]$Value))
    [BitConverter]::ToString($Hash).Replace('-', '').Substring(0, 16).ToLowerInvariant()
}

Write-Output "ringmaster begin $Nonce"
Say 'hostname' ([bool]$env:COMPUTERNAME) $env:COMPUTERNAME
$BootTime = (Get-CimInstance Win32_OperatingSystem).LastBootUpTime
Say 'boot_time' ([bool]$BootTime) $(if ($BootTime) { $BootTime.ToUniversalTime().ToString('s') })
$ImageState = (Get-ItemProperty 'HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\Setup\State').ImageState
Say 'image_state' ($ImageState -eq 'IMAGE_STATE_COMPLETE') $ImageState
$Agent = (Get-Service WindowsAzureGuestAgent -ErrorAction SilentlyContinue).Status
Say 'agent' ($Agent -eq 'Running') $Agent
$Core = Get-Service RdAgent, Dnscache, EventLog -ErrorAction SilentlyContinue
$Stopped = ($Core | Where-Object Status -ne 'Running' | Measure-Object).Count
Say 'failed_services' ($Stopped -eq 0) $Stopped
$Account = Get-CimInstance Win32_UserAccount -Filter 'LocalAccount=True' | Select-Object -First 1
Say 'machine_sid' $true (Get-Digest $(if ($Account) { $Account.SID -replace '-[0-9]+$', '' }))
Say 'machine_guid' $true (Get-Digest ((Get-ItemProperty 'HKLM:\SOFTWARE\Microsoft\Cryptography').MachineGuid))
$Terminal = Get-CimInstance -Namespace root/cimv2/TerminalServices -ClassName Win32_TSGeneralSetting -ErrorAction SilentlyContinue
Say 'rdp_certificate' $true (Get-Digest (($Terminal | Select-Object -First 1).SSLCertificateSHA1Hash))
$Listener = Get-ChildItem WSMan:\localhost\Listener -ErrorAction SilentlyContinue | Where-Object Keys -Contains 'Transport=HTTPS'
$Certificate = $Listener | Get-ChildItem | Where-Object Name -EQ 'CertificateThumbprint' | Select-Object -First 1
Say 'winrm_certificate' $true (Get-Digest $Certificate.Value)
$Update = Get-ItemProperty 'HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\WindowsUpdate' -ErrorAction SilentlyContinue
Say 'wsus_client_id' $true (Get-Digest $Update.SusClientId)
Write-Output "ringmaster done $Nonce checks=$($script:Checks)"
