# The probe of a Windows machine that was just made from an image. It changes nothing on the machine.
#
# It prints one line for each check, `id=pass|fail|warn|skip detail`, between two lines with the nonce of this test. A
# check returns its result and then its findings. If all findings are longer than the output may be, those of the longest
# checks are cut, and the number of those that are left out is printed. docs/probe-checks.md says what each check proves.
$ErrorActionPreference = 'Continue'
$ProgressPreference = 'SilentlyContinue'
$Nonce = '@NONCE@'
$baseline_file = ''
$baseline_required = ''
$script:Lines = New-Object Collections.ArrayList
$Room = 3900 # bytes, of the 4096 that the platform keeps
$Setup = (Get-ItemProperty 'HKLM:\SOFTWARE\Microsoft\Windows NT\CurrentVersion').InstallDate
# Windows Setup of this machine: generalization gives it a new time of installation. Two minutes are tolerated.
$Made = if ($Setup) { ([datetime]'1970-01-01').AddSeconds($Setup).ToLocalTime().AddMinutes(-2) }

function Text($Encoded) { [Text.Encoding]::UTF8.GetString([Convert]::FromBase64String($Encoded)) }

function Record($Id, $Found) {
    $Parts = @($Found | ForEach-Object { ([string]$_ -replace '[^\x20-\x7e]', '?').Trim() } | Where-Object { $_ })
    if (-not $Parts -or $Parts[0] -notmatch '^(pass|fail|warn|skip)( |$)') { $Parts = @('fail the check gave no result') }
    $Parts[0] = '{0}={1}' -f $Id, $Parts[0]
    [void]$script:Lines.Add($Parts)
}

function Check($Id) { Record $Id (& "check_$Id" 2>$null) }

function Own($Id) { # a check of the policy
    $Command, $Rest = $args
    Record "own:$Id" (& $Command @Rest 2>$null)
}

function None($Found) { if (@($Found | Where-Object { $_ })) { 'fail'; $Found } else { 'pass' } }

function Value($Found, $Missing) { if ($Found) { "pass $Found" } else { "fail $Missing" } }

# It can be compared with that of another machine, and tells nothing of the value.
function Get-Digest($Value) {
    if (-not $Value) { return 'none' }
    $Hash = [Security.Cryptography.SHA256]::Create().ComputeHash([Text.Encoding]::UTF8.GetBytes([string]$Value))
    [BitConverter]::ToString($Hash).Replace('-', '').Substring(0, 16).ToLowerInvariant()
}

function Fitted() { # the report, in which no line is longer than what leaves room for all
    $Sizes = @($script:Lines | ForEach-Object { ($_ -join ' ').Length + 2 })
    # The value of a check that passed is compared with that of another probe, so it is whole.
    $Whole = @($script:Lines | ForEach-Object { if ($_[0] -match '^[^=]*=pass ') { $_[0].Length } else { 0 } })
    for ($Most = 40; $Most -lt $Room; $Most++) {
        $Sum = 0
        for ($Each = 0; $Each -lt $Sizes.Count; $Each++) {
            $Sum += [Math]::Min($Sizes[$Each], [Math]::Max($Most, $Whole[$Each]) + 2)
        }
        if ($Sum -gt $Room) { break }
    }
    for ($Each = 0; $Each -lt $Sizes.Count; $Each++) {
        $Parts = $script:Lines[$Each]
        $Cap = [Math]::Max($Most, $Whole[$Each])
        $Line = $Parts[0].Substring(0, [Math]::Min($Parts[0].Length, $Cap))
        $Next = 1
        while ($Next -lt $Parts.Count -and $Line.Length + $Parts[$Next].Length -lt $Cap - 13) {
            $Line += ' ' + $Parts[$Next]
            $Next++
        }
        $Left = $Parts.Count - $Next
        if ($Left -gt 0) { $Line = $Line.Substring(0, [Math]::Min($Line.Length, $Cap - 13)) + " (+$Left more)" }
        Write-Output $Line
    }
}

function check_hostname { Value $env:COMPUTERNAME 'none' }

function check_boot_time {
    $Booted = (Get-CimInstance Win32_OperatingSystem).LastBootUpTime
    Value $(if ($Booted) { $Booted.ToUniversalTime().ToString('s') }) 'none'
}

function check_image_state {
    $State = (Get-ItemProperty 'HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\Setup\State').ImageState
    if ($State -eq 'IMAGE_STATE_COMPLETE') { "pass $State" } else { "fail $State" }
}

function check_agent {
    $State = (Get-Service WindowsAzureGuestAgent).Status
    if ($State -eq 'Running') { "pass $State" } else { "fail $State" }
}

function check_failed_services {
    $Stopped = 'RdAgent', 'Dnscache', 'EventLog' | Where-Object { (Get-Service $_).Status -ne 'Running' }
    if ($Stopped) { "fail $(@($Stopped).Count)"; $Stopped } else { 'pass 0' }
}

function check_machine_sid {
    $Account = Get-CimInstance Win32_UserAccount -Filter 'LocalAccount=True' | Select-Object -First 1
    "pass $(Get-Digest $(if ($Account) { $Account.SID -replace '-[0-9]+$', '' }))"
}

function check_machine_guid { "pass $(Get-Digest (Get-ItemProperty 'HKLM:\SOFTWARE\Microsoft\Cryptography').MachineGuid)" }

function check_wsus_client_id {
    $Update = Get-ItemProperty 'HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\WindowsUpdate'
    "pass $(Get-Digest $Update.SusClientId)"
}

function check_clock { "pass $([int64]([datetime]::UtcNow - [datetime]'1970-01-01').TotalSeconds)" }

function check_activation {
    # The application id of Windows itself; 1 is licensed.
    $Filter = "ApplicationID = '55c92734-d682-4d71-983e-d6ec3f16059f' AND PartialProductKey IS NOT NULL"
    $Status = (Get-CimInstance SoftwareLicensingProduct -Filter $Filter).LicenseStatus
    if ($Status -contains 1) { 'pass' } else { "fail license status $Status" }
}

function check_pending_reboot {
    $Keys = 'HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\Component Based Servicing\RebootPending',
    'HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\WindowsUpdate\Auto Update\RebootRequired'
    None ($Keys | Where-Object { Test-Path $_ } | ForEach-Object { Split-Path $_ -Leaf })
}

function check_dns {
    try {
        [void][Net.Dns]::GetHostAddresses('management.azure.com')
        'pass'
    } catch { 'fail management.azure.com does not resolve' }
}

function check_imds {
    try {
        $Request = [Net.WebRequest]::Create('http://169.254.169.254/metadata/instance/compute/vmId?api-version=2021-02-01&format=text')
        $Request.Proxy = $null
        $Request.Timeout = 5000
        $Request.Headers.Add('Metadata', 'true')
        $Request.GetResponse().Close()
        'pass'
    } catch { 'fail no answer' }
}

function check_disk_grown {
    $Drive = Get-Partition -DriveLetter C
    $Free = [int](((Get-PartitionSupportedSize -DriveLetter C).SizeMax - $Drive.Size) / 1MB)
    if ($Free -gt 1024 -and $Free * 20 -gt $Drive.Size / 1MB) { "fail $Free MiB are not used" } else { 'pass' }
}

function check_secure_boot {
    try { if (Confirm-SecureBootUEFI -ErrorAction Stop) { 'pass on' } else { 'pass off' } } catch { 'pass no UEFI' }
}

function check_bitlocker {
    if (-not (Get-Command Get-BitLockerVolume -ErrorAction SilentlyContinue)) { return 'pass not installed' }
    $Volume = Get-BitLockerVolume -MountPoint C:
    if ($Volume.VolumeStatus -eq 'FullyDecrypted') { 'pass' } else { "fail $($Volume.VolumeStatus)" }
}

function check_hotfixes {
    $Newest = Get-HotFix | Where-Object InstalledOn | Sort-Object InstalledOn | Select-Object -Last 1
    if (-not $Newest) { return 'fail no update is installed' }
    $Age = [int]((Get-Date) - $Newest.InstalledOn).TotalDays
    if ($Age -le 90) { "pass $($Newest.HotFixID)" } else { "fail $($Newest.HotFixID) was installed $Age days ago" }
}

function check_defender_signatures {
    if (-not (Get-Command Get-MpComputerStatus -ErrorAction SilentlyContinue)) { return 'pass not installed' }
    $Status = Get-MpComputerStatus
    if (-not $Status) { return 'skip no status' }
    if ($Status.AntivirusSignatureAge -le 14) { 'pass' } else { "fail $($Status.AntivirusSignatureAge) days old" }
}

function check_event_logs {
    if (-not $Made) { return 'skip no time of Windows Setup' }
    None ('Application', 'System' | ForEach-Object {
            $Old = @(Get-WinEvent -FilterHashtable @{ LogName = $_; EndTime = $Made } -MaxEvents 1000).Count
            if ($Old -gt 200) { "$_`: $Old" }
        })
}

function check_left_over_users {
    if (-not $Made) { return 'skip no time of Windows Setup' }
    None (Get-LocalUser | Where-Object { $_.Enabled -and $_.PasswordLastSet -and $_.PasswordLastSet -lt $Made }).Name
}

function check_certificates {
    if (-not $Made) { return 'skip no time of Windows Setup' }
    $Old = Get-ChildItem Cert:\LocalMachine\My | Where-Object { $_.HasPrivateKey -and $_.NotBefore -lt $Made.AddHours(-24) }
    None ($Old | ForEach-Object { $_.Thumbprint })
}

function Test-OwnName($Certificate) {
    -not $Certificate -or $Certificate.Subject -match "^CN=$([regex]::Escape($env:COMPUTERNAME))(\.|,|`$)"
}

function Test-Certificate($Print, $Certificates) { # pass with a digest, or fail with it and the names of other machines
    $Others = @($Certificates | Where-Object { -not (Test-OwnName $_) } | ForEach-Object { $_.Subject })
    if ($Others) { "fail $(Get-Digest $Print)"; $Others } else { "pass $(Get-Digest $Print)" }
}

function check_rdp_certificate {
    $Setting = Get-CimInstance -Namespace root/cimv2/TerminalServices -ClassName Win32_TSGeneralSetting | Select-Object -First 1
    Test-Certificate $Setting.SSLCertificateSHA1Hash (Get-ChildItem 'Cert:\LocalMachine\Remote Desktop')
}

function check_winrm_certificate {
    $Settings = Get-ChildItem WSMan:\localhost\Listener -Recurse | Where-Object Name -eq 'CertificateThumbprint'
    $Prints = @($Settings.Value | Where-Object { $_ })
    Test-Certificate $Prints[0] ($Prints | ForEach-Object { Get-Item "Cert:\LocalMachine\My\$($_ -replace ' ')" })
}

function check_unattend_passwords {
    $Files = 'Windows\Panther', 'Windows\Panther\Unattend', 'Windows\System32\Sysprep' |
        ForEach-Object { Get-ChildItem "$env:SystemDrive\$_" -Filter *.xml -File } | Where-Object Name -match 'unattend'
    $Files = @($Files) + @(Get-Item "$env:SystemDrive\unattend.xml", "$env:SystemDrive\autounattend.xml")
    # Windows Setup replaces passwords with *SENSITIVE*DATA*DELETED* when it has used them.
    $Pattern = '<(Password|AdministratorPassword)[^>]*>\s*(<Value>)?\s*[^<*\s]'
    None ($Files | Where-Object { $_ -and (Get-Content $_.FullName -Raw) -match $Pattern } | ForEach-Object FullName)
}

function check_domain {
    $System = Get-CimInstance Win32_ComputerSystem
    if ($System.PartOfDomain) { "fail $($System.Domain)" } else { 'pass' }
}

function check_baseline {
    if (-not (Test-Path -LiteralPath $baseline_file)) { return "fail $baseline_file is missing" }
    $Found = @{}
    $Score = '-'
    $Body = Get-Content -LiteralPath $baseline_file -Raw
    if ($Body.TrimStart().StartsWith('{')) {
        $Report = $Body | ConvertFrom-Json
        foreach ($Control in @($Report.controls) + @($Report.profiles | ForEach-Object { $_.controls }) | Where-Object { $_ }) {
            $Said = @($Control.status) + @($Control.results | ForEach-Object { $_.status }) + @($Found[$Control.id]) | Where-Object { $_ }
            $Found[$Control.id] = @($Said)
        }
        foreach ($Id in @($Found.Keys)) {
            $Bad = $Found[$Id] | Where-Object { $_ -notin 'passed', 'skipped' }
            $Found[$Id] = if ($Bad) { 'fail' } elseif ($Found[$Id] -contains 'passed') { 'pass' } else { 'notchecked' }
        }
    } else {
        $Result = ([xml]$Body).SelectNodes("//*[local-name()='TestResult']") | Select-Object -Last 1
        if (-not $Result) { return 'fail no results in the file' }
        foreach ($Each in $Result.SelectNodes("*[local-name()='rule-result']")) {
            $Status = $Each.SelectSingleNode("*[local-name()='result']").InnerText.Trim()
            $Found[($Each.GetAttribute('idref') -replace '^.*[._]content_rule_')] = $Status
        }
        $Score = ($Result.SelectNodes("*[local-name()='score']") | Select-Object -Last 1).InnerText
    }
    $Passed = @($Found.Keys | Where-Object { $Found[$_] -in 'pass', 'fixed' })
    $Failed = @($Found.Keys | Where-Object { $Found[$_] -in 'fail', 'error', 'unknown' })
    $Lack = @($baseline_required -split "`n" | Where-Object { $_ -and $_ -notin $Passed } | ForEach-Object { "$_`:$($Found[$_])" })
    $Other = $Found.Count - $Passed.Count - $Failed.Count
    'pass passed={0} failed={1} other={2} score={3} required={4}' -f $Passed.Count, $Failed.Count, $Other, $Score, $Lack.Count
    $Lack
    $Failed
}

function run_command($Seconds, $Code, $Pattern, $Interpreter, $Script) { # its first 4 KB of output are read
    $File = Join-Path $env:TEMP "ringmaster-$([guid]::NewGuid()).ps1"
    [IO.File]::WriteAllText($File, $Script, (New-Object Text.UTF8Encoding $true))
    try {
        $Start = New-Object Diagnostics.ProcessStartInfo (Get-Process -Id $PID).Path
        $Start.Arguments = "-NoProfile -NonInteractive -ExecutionPolicy Bypass -File `"$File`""
        $Start.UseShellExecute = $false
        $Start.RedirectStandardOutput = $true
        $Process = [Diagnostics.Process]::Start($Start)
        $Until = (Get-Date).AddSeconds([int]$Seconds)
        $Buffer = New-Object char[] 4096
        $Kept = New-Object Text.StringBuilder
        do {
            $Reading = $Process.StandardOutput.ReadAsync($Buffer, 0, 4096)
            $Ended = $Reading.Wait([int][Math]::Max(0, ($Until - (Get-Date)).TotalMilliseconds))
            if ($Ended -and $Kept.Length -lt 4096) { [void]$Kept.Append($Buffer, 0, $Reading.Result) }
        } while ($Ended -and $Reading.Result -gt 0)
        $Ended = $Ended -and $Process.WaitForExit([int][Math]::Max(0, ($Until - (Get-Date)).TotalMilliseconds))
        if (-not $Ended) {
            [void](taskkill.exe /T /F /PID $Process.Id)
            return "fail it did not end within $Seconds s"
        }
        $Output = $Kept.ToString()
        $Shows = $Output -split '\r?\n' | Where-Object { $_.Trim() } | Select-Object -First 1
        if ($Process.ExitCode -ne [int]$Code) { "fail exit code $($Process.ExitCode), not $Code`: $Shows" }
        elseif ($Pattern -and -not [regex]::IsMatch($Output, $Pattern, 'Multiline')) { "fail the output does not match: $Shows" }
        else { 'pass' }
    } finally { Remove-Item -LiteralPath $File -Force }
}

function expect_file($Path, $Wanted, $Mode, $Owner, $Pattern) {
    $Exists = Test-Path -LiteralPath $Path
    if ($Wanted -eq 'absent') { if ($Exists) { return 'fail it exists' } else { return 'pass' } }
    if (-not $Exists) { return 'fail it does not exist' }
    None @(
        if ($Mode) { 'Windows has no file modes' }
        $Has = (Get-Acl -LiteralPath $Path).Owner
        if ($Owner -and $Has -ne $Owner) { "owner $Has, not $Owner" }
        if ($Pattern -and -not (Select-String -LiteralPath $Path -Pattern $Pattern -CaseSensitive -Quiet)) { 'no line matches' }
    )
}

function expect_service($Name, $Running, $Enabled) {
    $Service = Get-Service -Name $Name
    $Is = if (-not $Service) { 'missing' } elseif ($Service.Status -eq 'Running') { 'running' } else { 'stopped' }
    $Starts = if ($Service.StartType -eq 'Automatic') { 'enabled' } else { 'disabled' }
    None @(
        if ($Running -ne '-' -and $Is -ne $Running) { "it is $Is" }
        if ($Enabled -ne '-' -and $Starts -ne $Enabled) { "it is $Starts" }
    )
}

function expect_port($Protocol, $Number, $Wanted) {
    $Sockets = if ($Protocol -eq 'tcp') { Get-NetTCPConnection -State Listen -LocalPort $Number }
    else { Get-NetUDPEndpoint -LocalPort $Number }
    $Listens = [bool]($Sockets | Where-Object { $_.LocalAddress -notmatch '^(127\.|::1$)' })
    if ($Listens -eq ($Wanted -eq 'listening')) { 'pass' }
    elseif ($Listens) { 'fail something listens' }
    else { 'fail nothing listens for other machines' }
}

Write-Output "ringmaster begin $Nonce"
Check 'hostname'
Check 'boot_time'
Check 'image_state'
Check 'agent'
Check 'failed_services'
Check 'machine_sid'
Check 'machine_guid'
Check 'wsus_client_id'
Check 'clock'
Check 'activation'
Check 'pending_reboot'
Check 'dns'
Check 'imds'
Check 'disk_grown'
Check 'secure_boot'
Check 'bitlocker'
Check 'hotfixes'
Check 'defender_signatures'
Check 'event_logs'
Check 'left_over_users'
Check 'certificates'
Check 'rdp_certificate'
Check 'winrm_certificate'
Check 'unattend_passwords'
Check 'domain'
Check 'baseline'
# Checks of the policy are added here.
Fitted
Write-Output "ringmaster done $Nonce checks=$($script:Lines.Count)"
