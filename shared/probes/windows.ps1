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
Write-Output "ringmaster done $Nonce checks=$($script:Checks)"
